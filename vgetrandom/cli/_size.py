# SPDX-License-Identifier: MIT
"""Numbers of bytes on the command line, written as for `head -c`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# kB is 1000 bytes, K and KiB are 1024, b is 512.
_LETTERS = "KMGTPEZYRQ"
_UNITS = {"": 1, "b": 512, "kB": 1000, "k": 1024}
for _power, _letter in enumerate(_LETTERS, 1):
    _UNITS |= {_letter: 1024**_power, f"{_letter}iB": 1024**_power, f"{_letter}B": 1000**_power}

_MOST_DIGITS = 40  # more than any file needs; int() refuses thousands of digits


def size(text: str) -> int:
    """Return the number of bytes that a text such as ``4096``, ``16K`` or ``1GB`` means.

    Args:
        text (str): A number with an optional suffix of ``head -c``.

    Returns:
        int: The number of bytes.

    Raises:
        argparse.ArgumentTypeError: The text is not such a size.
    """
    match = re.fullmatch(r"([0-9]+)([A-Za-z]*)", text)
    if not match or match[2] not in _UNITS or len(match[1]) > _MOST_DIGITS:
        message = f"not a number of bytes: {text!r} (suffixes are those of head -c: K, MB, GiB...)"
        raise argparse.ArgumentTypeError(message)
    return int(match[1]) * _UNITS[match[2]]


def size_between(low: int, high: int) -> Callable[[str], int]:
    """Make a parser of sizes between two limits.

    Args:
        low (int): The smallest number of bytes.
        high (int): The largest.

    Returns:
        Callable[[str], int]: Like `size`.
    """

    def parse(text: str) -> int:
        problem = f"{text!r} is not a number of bytes from {low} to {high}"
        try:
            count = size(text)
        except argparse.ArgumentTypeError:
            raise argparse.ArgumentTypeError(problem) from None
        if not low <= count <= high:
            raise argparse.ArgumentTypeError(problem)
        return count

    return parse
