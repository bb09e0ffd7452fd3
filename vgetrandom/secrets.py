# SPDX-License-Identifier: MIT
"""The standard module `secrets`, from vgetrandom's generator, and `token_string`.

Names, signatures and errors are those of the interpreter's own module; see
https://docs.python.org/3/library/secrets.html
"""

from __future__ import annotations

import secrets
import sys
from secrets import DEFAULT_ENTROPY, compare_digest

from vgetrandom.random import SystemRandom

__all__ = [
    "DEFAULT_ENTROPY",
    "SystemRandom",
    "choice",
    "compare_digest",
    "randbelow",
    "randbits",
    "token_bytes",
    "token_hex",
    "token_string",
    "token_urlsafe",
]

TYPE_CHECKING = False
if TYPE_CHECKING or sys.implementation.name == "cpython":
    from vgetrandom import _dropins
    from vgetrandom._dropins import (
        randbelow,
        randbits,
        token_bytes,
        token_hex,
        token_string,
        token_urlsafe,
    )

    _dropins.use_secrets(secrets)
else:
    from vgetrandom._tokens import (
        randbelow,
        randbits,
        token_bytes,
        token_hex,
        token_string,
        token_urlsafe,
    )

choice = SystemRandom().choice
