# SPDX-License-Identifier: MIT
"""Places in a ring of memory, which are taken in turn and kept apart without a lock.

A lock would be held when Ctrl-C raises between two bytecodes, and left behind by the thread that
fork() did not copy. Here every step that others see is one operation of the interpreter's own (an
append, a store, a release), and whoever stops between two of them leaves nothing that others wait
for.

Positions only ever grow; a position's remainder by the size is its offset in memory. So what a
new place is written over is plain: everything that begins more than one size before its end.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

__all__ = ["Place", "Ring"]


# What a permit is replaced by when there is nothing left to write; may be released ever again.
_NOTHING = memoryview(b"")


class Place:
    """Where one value lies, and what its writer may write through.

    Attributes:
        start (int): The position of its first byte.
        stop (int): The position after its last byte.
        key (Hashable): What its value is stored under.
        permit (memoryview): The memory, for this place's writer. To release it is to end all
            writing: a write is one operation, and either finds it as it was or raises ValueError.
        entry (Any): What the value is read through, once it is written.
        revoked (bool): Others write here, or are about to.
        after (list[Place]): The place that was taken next, if any. Of several that come at the
            same time the first in the list is next; the others try behind that.
    """

    __slots__ = ("after", "entry", "key", "permit", "revoked", "start", "stop")

    def __init__(self, key: Hashable, permit: memoryview) -> None:
        """A place that is not taken yet."""
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
        """Keep readers from believing what they read here, and the writer from writing."""
        self.revoked = True
        self.permit.release()


class Ring:
    """The places of a memory, from the oldest that is left to the newest.

    Args:
        size (int): Of the memory, in bytes.
    """

    def __init__(self, size: int) -> None:
        """Begin with an empty place that stands for those before the first."""
        self.size = size
        # Hints: whoever stores an older one after a newer has others walk further.
        self._oldest = self._newest = Place(None, _NOTHING)

    def take(self, place: Place, room: int) -> int:
        """Give a place its positions, after all that are taken.

        Args:
            place (Place): A new one.
            room (int): How many bytes it needs, at least one and at most the size.

        Returns:
            int: Where it lies in memory. Nothing may be written there before `overwritten` has
            been gone through.
        """
        last = self._newest
        while not last.after or last.after[0] is not place:
            while last.after:
                last = last.after[0]
            start, offset = last.stop, last.stop % self.size
            if offset + room > self.size:
                start += self.size - offset  # what is left at the end of the memory is wasted
            place.start, place.stop = start, start + room
            last.after.append(place)
        self._newest = place
        return place.start % self.size

    def overwritten(self, before: int) -> Iterator[Place]:
        """Go through the places that begin before a position, the oldest first.

        Each is left out of later calls when this one is over: one that stops in the middle has the
        next begin with the same places again.

        Args:
            before (int): At most the beginning of a place that is taken.

        Yields:
            Place: One that is to be revoked.
        """
        place = self._oldest
        while place.start < before:
            yield place
            place = place.after[0]
        self._oldest = place

    def places(self) -> Iterator[Place]:
        """Go through all places that are left.

        Yields:
            Place: One of them.
        """
        place = self._oldest
        yield place
        while place.after:
            place = place.after[0]
            yield place
