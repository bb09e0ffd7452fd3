# SPDX-License-Identifier: MIT
"""Types for annotations that this package's Pythons and type checkers spell differently.

At run time they need nothing but the standard library, so that annotations can be resolved there.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

__all__ = ["Buffer"]


class _Array(Protocol):
    """NumPy's arrays, whose stubs call them buffers from Python 3.12 on only."""

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
