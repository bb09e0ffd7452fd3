# SPDX-License-Identifier: MIT
"""The page of a vmclock device (linux/vmclock-abi.h), which tells when a machine was cloned."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COUNTER = 104
"""Where the page has the virtual machine's generation, if its size and a flag say so."""

MARKER = 16
"""Where it has the disruption marker, which also changes when the machine is only moved."""

HAS_COUNTER = 1 << 8
FIRST_GENERATION = 7


def vmclock(
    magic: bytes = b"VCLK", size: int = 112, version: int = 1, flags: int = HAS_COUNTER
) -> bytes:
    """Return a page of a machine that was never cloned."""
    page = bytearray(4096)
    struct.pack_into("<4sIH", page, 0, magic, size, version)
    struct.pack_into("<Q", page, 24, flags)
    struct.pack_into("<Q", page, COUNTER, FIRST_GENERATION)
    return bytes(page)


def clone_machine(path: Path, generation: int, word: int = COUNTER) -> None:
    """Have the page say what it says after a clone: another number at that place."""
    with path.open("r+b") as file:
        file.seek(word)
        file.write(struct.pack("<Q", generation))
