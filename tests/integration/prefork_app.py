# SPDX-License-Identifier: MIT
"""A WSGI application whose workers are forked after it has drawn (--preload)."""

from __future__ import annotations

import json
import os
import random
import secrets
import uuid
from typing import TYPE_CHECKING

from vgetrandom import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

patch.install()
# Both have a state already when the workers are forked.
secrets.token_hex(16)
insecure = random.Random(os.getpid())


def application(
    environ: dict[str, object],  # noqa: ARG001
    start_response: Callable[[str, list[tuple[str, str]]], object],
) -> Iterable[bytes]:
    """Answer with ids of several kinds, and the worker that made them."""
    made = {
        "worker": os.getpid(),
        "secure": [str(uuid.uuid4()), secrets.token_hex(16), os.urandom(16).hex()],
        "insecure": [f"{insecure.getrandbits(128):032x}"],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(made).encode()]
