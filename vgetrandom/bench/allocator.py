# SPDX-License-Identifier: MIT
"""Makes malloc treat large results the same for every row and size while they are measured."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def settle() -> None:
    """Set glibc's thresholds to the values that they reach in a long-running process.

    Otherwise glibc raises them whenever a large block is freed, and whether a call faults in new
    pages would depend on what other rows had freed before. At 32 MiB, its limit, smaller blocks
    come from memory that is kept, and larger ones are new pages each time (mallopt(3)). Other C
    libraries need nothing.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
