# SPDX-License-Identifier: MIT
"""What random bytes must never do: repeat, or be zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 16


def records(data: bytes) -> list[bytes]:
    """Cut into pieces of 16 bytes; what is left at the end is left out."""
    return [data[at : at + WIDTH] for at in range(0, len(data) - WIDTH + 1, WIDTH)]


def windows(data: bytes) -> set[bytes]:
    """Return every 16 bytes that follow each other, at all offsets."""
    return {data[at : at + WIDTH] for at in range(len(data) - WIDTH + 1)}


def assert_unique(outputs: Iterable[bytes]) -> None:
    """No 16 bytes are zeros or occur twice; offsets in an output are multiples of 16."""
    pieces = [piece for output in outputs for piece in records(output)]
    assert pieces
    assert bytes(WIDTH) not in pieces
    assert len(set(pieces)) == len(pieces)


def assert_unrelated(*outputs: bytes) -> None:
    """No two outputs share 16 bytes at any offsets, and none repeats itself or has 16 zeros."""
    seen: set[bytes] = set()
    for output in outputs:
        found = windows(output)
        assert len(found) == len(output) - WIDTH + 1
        assert bytes(WIDTH) not in found
        assert seen.isdisjoint(found)
        seen |= found
