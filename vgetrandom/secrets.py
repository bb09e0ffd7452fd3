# SPDX-License-Identifier: MIT
"""The standard module `secrets` on vgetrandom's generator, and `token_string`.

Names, signatures and errors are those of the running interpreter's module; see
https://docs.python.org/3/library/secrets.html. `choice` is that of a `vgetrandom.SystemRandom`.
"""

from __future__ import annotations

import secrets
import sys
from secrets import DEFAULT_ENTROPY, compare_digest
from types import SimpleNamespace

from vgetrandom import _standard
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

    # The native functions leave unusual arguments to the standard module's functions, which draw
    # from this generator here.
    _names = {**vars(secrets), "_sysrand": SystemRandom()}
    _names |= {
        name: _standard.over(getattr(secrets, name), _names)
        for name in ("randbelow", "token_bytes", "token_hex", "token_urlsafe")
    }
    _names["randbits"] = _names["_sysrand"].getrandbits
    _dropins.use_secrets(SimpleNamespace(**_names))
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
