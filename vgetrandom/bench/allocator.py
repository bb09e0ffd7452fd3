# SPDX-License-Identifier: MIT
"""How malloc treats large results while they are measured: the same for every row and size."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def settle() -> None:
    """Fix glibc's thresholds where they come to rest in a process that runs for long.

    Left to itself glibc raises them with each large block that is freed: the same call would
    fault in new pages or not, depending on what other rows had freed before. Where it has
    adapted to 32 MiB, its limit, blocks up to there are served from memory that is kept, and larger
    ones are new pages each time (mallopt(3)). Other C libraries have nothing to fix.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    libc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
