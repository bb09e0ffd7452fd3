# SPDX-License-Identifier: MIT
"""What /proc and /sys say. Names of files stand among it, and those are bytes, not text.

A process that has mapped a file with a name in an old encoding has that name in /proc/self/maps.
Names may have every byte but the slash and zero, so lines end at a newline only (a newline in a
name is written as an escape), not wherever `str.splitlines` sees an end.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["lines", "printable", "text", "unescape"]


def text(path: str | Path) -> str:
    """Read a file of /proc or /sys.

    Args:
        path (str | Path): its name.

    Returns:
        str: what it says; bytes that are no text as `os.fsdecode` has them, so that a name in it
        can be given back to the kernel.

    Raises:
        OSError: it cannot be read.
    """
    return os.fsdecode(Path(path).read_bytes())


def lines(path: str | Path) -> list[str]:
    """Read a file of /proc or /sys, line by line.

    Args:
        path (str | Path): its name.

    Returns:
        list[str]: its lines, without their newlines; see `text`.

    Raises:
        OSError: it cannot be read.
    """
    return text(path).removesuffix("\n").split("\n")


def unescape(field: str) -> str:
    r"""Undo what /proc/self/mounts does to blanks in a name: ``\040`` and its like.

    Args:
        field (str): a field of a line.

    Returns:
        str: the name.
    """
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def printable(name: str | Path) -> str:
    r"""Spell a name so that it can be written anywhere.

    Args:
        name (str | Path): a name, as Python has it.

    Returns:
        str: the same with ``\xff`` and its like for bytes that are no text.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")
