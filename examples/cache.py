# SPDX-License-Identifier: MIT
"""A cache that gives its memory back when the machine needs it, and survives that.

Squares stand for anything that is slow to compute and cheap to keep. Run it: the second round comes
from the cache; then the kernel drops everything, and the third round computes again.
"""

from __future__ import annotations

from vgetrandom.droppable import DroppableCache, DroppableMemory

ENTRIES = 1000


class Squares:
    """Squares of whole numbers, remembered as long as the kernel has memory to spare."""

    def __init__(self) -> None:
        """Start with an empty cache of 1 MiB."""
        self.cache = DroppableCache(1 << 20)
        self.computed = 0

    def __call__(self, number: int) -> int:
        """Look the square up, or compute it and remember it."""
        value = self.cache.get(number)
        if value is None:
            self.computed += 1
            value = str(number**2).encode()
            self.cache.put(number, value)
        return int(value)


def rounds(squares: Squares) -> int:
    """Ask for every square once, and count those which had to be computed."""
    before = squares.computed
    for number in range(ENTRIES):
        if squares(number) != number**2:
            raise AssertionError(number)
    return squares.computed - before


def in_place() -> bool:
    """Use large data where it lies: first use it, then ask whether it was there all the time."""
    with DroppableMemory(1 << 20) as memory:
        entry = memory.store(bytes(range(256)) * 4096)
        with memoryview(memory) as view:
            total = sum(view)
        return entry.intact() and total == 4096 * sum(range(256))


def main() -> None:
    """Fill the cache, use it, lose it, and use it again."""
    squares = Squares()
    print("first round computed", rounds(squares))
    print("second round computed", rounds(squares))
    while squares.cache.get(0) is not None:
        squares.cache.drop()  # what the kernel does under memory pressure
    print("after a drop, third round computed", rounds(squares))
    print("used in place:", "intact" if in_place() else "dropped meanwhile, result thrown away")


if __name__ == "__main__":
    main()
