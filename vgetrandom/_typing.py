# SPDX-License-Identifier: MIT
"""Types for annotations that Python versions and type checkers spell differently.

At run time they need only the standard library, so that annotations can be resolved.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

__all__ = ["Buffer"]


class _Array(Protocol):
    """NumPy's arrays: their stubs declare them as buffers only from Python 3.12 on."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


if TYPE_CHECKING:
    from typing_extensions import (
        Buffer as _Buffer,
    )  # known to type checkers without being installed

    Buffer = _Buffer | _Array
elif sys.version_info >= (3, 12):
    from collections.abc import Buffer
else:
    Buffer = Any  # the protocol has no name before 3.12
