# SPDX-License-Identifier: MIT
"""A ring of memory whose places are claimed one after another, without a lock.

A lock would stay held when Ctrl-C raises between two bytecodes, or when fork() does not copy the
thread that holds it. Here every step that others can see is a single operation of the interpreter
(an append, a store, a release), and nobody waits for a thread that stops between two of them.

Positions only ever grow; a position modulo the size is its offset in memory. A new place therefore
overwrites exactly the places that begin more than one size before its end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

__all__ = ["Place", "Ring"]


# Replaces a permit when there is nothing left to write; releasing it again is harmless.
_NOTHING = memoryview(b"")


class Place:
    """Where one value lies, and the memoryview through which its writer writes.

    Attributes:
        start (int): The position of its first byte.
        stop (int): The position after its last byte.
        key (Hashable): What its value is stored under.
        permit (memoryview): The memory, for this place's writer. Releasing it ends all writing: a
            write is one operation, which finds it either intact or released and then raises
            ValueError.
        entry (Any): What the value is read through, once it is written.
        revoked (bool): Others overwrite this place, or are about to.
        after (list[Place]): The place that was claimed next, if any. If several are added at the
            same time, the first in the list is next and the others try again behind it.
    """

    __slots__ = ("after", "entry", "key", "permit", "revoked", "start", "stop")

    def __init__(self, key: Hashable, permit: memoryview) -> None:
        """Make a place that has no position yet."""
        self.start = self.stop = 0
        self.key = key
        self.permit = permit
        self.entry: Any = None
        self.revoked = False
        self.after: list[Place] = []

    def written(self, entry: Any) -> None:
        """Let the value be read."""
        self.permit.release()
        self.permit = _NOTHING
        self.entry = entry

    def revoke(self) -> None:
        """Make readers reject what they read here, and stop the writer."""
        self.revoked = True
        self.permit.release()


class Ring:
    """The places of a memory, from the oldest that is left to the newest.

    Args:
        size (int): Of the memory, in bytes.
    """

    def __init__(self, size: int) -> None:
        """Begin with an empty place, before the first real one."""
        self.size = size
        # Hints only: if an older place is stored here after a newer one, others walk further.
        self._oldest = self._newest = Place(None, _NOTHING)

    def take(self, place: Place, room: int) -> int:
        """Give a place its positions, after all that are claimed.

        Args:
            place (Place): A new one.
            room (int): How many bytes it needs, at least one and at most the size.

        Returns:
            int: Its offset in memory. Nothing may be written there before everything that
            `overwritten` yields has been revoked.
        """
        last = self._newest
        while not last.after or last.after[0] is not place:
            while last.after:
                last = last.after[0]
            start, offset = last.stop, last.stop % self.size
            if offset + room > self.size:
                start += self.size - offset  # the rest at the end of the memory is wasted
            place.start, place.stop = start, start + room
            last.after.append(place)
        self._newest = place
        return place.start % self.size

    def overwritten(self, before: int) -> Iterator[Place]:
        """Yield the places that begin before a position, the oldest first.

        They are forgotten only when the iteration ends: if it is interrupted, the next call yields
        the same places again.

        Args:
            before (int): At most the beginning of a claimed place.

        Yields:
            Place: One to be revoked.
        """
        place = self._oldest
        while place.start < before:
            yield place
            place = place.after[0]
        self._oldest = place

    def places(self) -> Iterator[Place]:
        """Yield all remaining places.

        Yields:
            Place: One of them.
        """
        place = self._oldest
        yield place
        while place.after:
            place = place.after[0]
            yield place
