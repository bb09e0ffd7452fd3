# SPDX-License-Identifier: MIT
"""Reads /proc and /sys, which contain file names, and those are bytes rather than text.

If a process has mapped a file whose name is in an old encoding, that name is in /proc/self/maps.
Names may contain every byte but slash and zero, so a line ends only at a newline (the kernel
escapes a newline in a name), not at everything that `str.splitlines` takes for an end.
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
        str: its contents, decoded by `os.fsdecode`, so that a name in it can be passed back to the
        kernel.

    Raises:
        OSError: it cannot be read.
    """
    return os.fsdecode(Path(path).read_bytes())


def lines(path: str | Path) -> list[str]:
    """Read a file of /proc or /sys, line by line.

    Args:
        path (str | Path): its name.

    Returns:
        list[str]: its lines, without their newlines, and none of an empty file; see `text`.

    Raises:
        OSError: it cannot be read.
    """
    content = text(path)
    return content.removesuffix("\n").split("\n") if content else []


def unescape(field: str) -> str:
    r"""Undo the escapes that /proc/self/mounts uses for blanks in a name, such as ``\040``.

    Args:
        field (str): a field of a line.

    Returns:
        str: the name.
    """
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def printable(name: str | Path) -> str:
    r"""Spell a name so that it can be printed in any encoding.

    Args:
        name (str | Path): a name, as Python represents it.

    Returns:
        str: the name, with escapes such as ``\xff`` for bytes that are not UTF-8.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")
