# SPDX-License-Identifier: MIT
"""Droppable memory (``MAP_DROPPABLE``, Linux 6.11): the kernel may zero any page of it at any time.

It is for caches that can be rebuilt. The kernel takes the pages back instead of swapping, or
instead of killing a process. It never writes them to swap or to a core dump, and a forked child
reads zeros.

A page that holds data now may hold zeros at the next instruction, so only a check *after* the use
proves anything. `DroppableMemory.store` returns an `Entry` that can make this check;
`DroppableCache` is the usual pattern on top of it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import operator
import os
from collections.abc import Hashable
from typing import NoReturn, Self, SupportsIndex

from vgetrandom._ring import Place, Ring
from vgetrandom._typing import Buffer

__all__ = ["DroppableCache", "DroppableMemory", "Entry"]

# Python has no names for these; the values hold on every architecture that has MAP_DROPPABLE.
MAP_DROPPABLE = 0x08
MADV_PAGEOUT = 21
ENOTSUPP = 524

# How a kernel without the mapping type, or a sandbox, refuses it.
_NOT_HERE = frozenset({errno.EINVAL, errno.EOPNOTSUPP, ENOTSUPP, errno.EPERM, errno.ENOSYS})


class _Unique:
    """Cannot be copied or pickled: two objects cannot share the memory, nor can it be sent."""

    __slots__ = ()

    # copy.copy(), copy.deepcopy() and every pickler call this method.
    def __reduce_ex__(self, _protocol: SupportsIndex, /) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"cannot copy or pickle {type(self).__name__!r} object: its droppable memory belongs "
            "to one object in one process"
        )


class DroppableMemory(_Unique, mmap.mmap):
    """Anonymous memory that the kernel may zero, page by page, at any time.

    An `mmap.mmap` without a file: it has the buffer protocol, ``len``, indexing, ``madvise`` and
    works as a context manager. ``close()`` raises BufferError while a buffer is exported, so memory
    is never unmapped under a live view (PyPy's mmap does not raise it: close no memory there that
    has views). After ``close()`` every use raises ValueError.

    ``len`` is the size that was asked for. The kernel maps and drops whole pages of `mmap.PAGESIZE`
    bytes.

    Args:
        size (int): bytes to map, at least 1. A page costs memory only once it is written.

    Raises:
        TypeError: `size` is not an integer.
        ValueError: `size` is zero or negative.
        OverflowError: `size` does not fit a pointer.
        OSError: the kernel has no such memory (the text names the version it needs), or has no room
            for `size` bytes (ENOMEM).
    """

    def __new__(cls, size: int, /) -> Self:
        """Map `size` bytes; see the class."""
        size = operator.index(size)
        if size <= 0:
            raise ValueError(f"size must be at least 1 byte, not {size}")
        try:
            # It is a mapping type itself: the kernel refuses it with MAP_PRIVATE or MAP_SHARED.
            return super().__new__(
                cls,
                -1,
                size,
                flags=MAP_DROPPABLE | mmap.MAP_ANONYMOUS,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            )
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            kernel = os.uname()
            raise OSError(
                error.errno,
                f"MAP_DROPPABLE needs Linux 6.11 or later (this is {kernel.sysname} "
                f"{kernel.release} on {kernel.machine}: {error.strerror})",
            ) from error

    def store(self, data: Buffer, /, offset: int = 0) -> Entry:
        """Copy `data` into the memory so that its loss can be noticed.

        Writing through the buffer or storing over an entry invalidates the older entry, which can
        tell a dropped page from a kept one, but not its own bytes from others.

        Args:
            data (Buffer): any C-contiguous buffer.
            offset (int): where its first byte goes, in bytes from the start of the memory.

        Returns:
            Entry: an object that reads the bytes back.

        Raises:
            TypeError: `data` is not a C-contiguous buffer.
            ValueError: `data` at `offset` does not lie inside the memory, or the memory is closed.
        """
        view = _bytes_of(data)
        stop = offset + len(view)
        if offset < 0 or stop > len(self):
            raise ValueError(
                f"bytes {offset} to {stop} do not lie in a memory of {len(self)} bytes"
            )
        return Entry(self, offset, stop, _write(self, view, offset))

    def drop(self) -> None:
        """Ask the kernel to drop every page now, to test what happens when it does.

        Works without privileges and without swap. Pages that the kernel is using stay, so a test
        repeats the call until it sees the loss.

        Raises:
            ValueError: the memory is closed.
            OSError: the kernel refuses (before Linux 5.4 there is no such advice).
        """
        if self.closed:  # PyPy's madvise() says something else
            raise ValueError("mmap closed or invalid")
        try:
            self.madvise(MADV_PAGEOUT)
        except SystemError as error:  # PyPy's, in place of an OSError, and without the reason
            raise OSError(f"madvise(MADV_PAGEOUT) was refused: {error}") from error

    def _no_file(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise io.UnsupportedOperation("droppable memory has no file, and its size is fixed")

    flush = resize = size = _no_file


class Entry(_Unique):
    """Bytes in a `DroppableMemory`, and how to tell whether they are still there.

    Each page that the bytes touch has a marker: the position of their first non-zero byte in it. A
    drop zeroes the whole page, so a marker that is not zero proves that everything read from that
    page before was what had been stored. A forked child finds its entries lost.
    """

    __slots__ = ("_markers", "_memory", "_start", "_stop")

    def __init__(
        self, memory: DroppableMemory, start: int, stop: int, markers: tuple[int, ...]
    ) -> None:
        """Made by `DroppableMemory.store`."""
        self._memory = memory
        self._start = start
        self._stop = stop
        self._markers = markers

    def __len__(self) -> int:
        """Size in bytes."""
        return self._stop - self._start

    def load(self) -> bytes | None:
        """Copy the bytes out.

        Returns:
            bytes | None: the bytes that were stored; None when the kernel has dropped any of them.

        Raises:
            ValueError: the memory is closed.
        """
        copy = self._memory[self._start : self._stop]
        return copy if self.intact() else None

    def intact(self) -> bool:
        """Return whether no page has been dropped since the bytes were stored.

        The answer is about the past. To use the bytes in place, use them first, then call this,
        and discard the result on False.

        Returns:
            bool: True if everything read from this entry before the call was what had been stored.

        Raises:
            ValueError: the memory is closed.
        """
        return all(map(self._memory.__getitem__, self._markers))


class DroppableCache(_Unique):
    """A bounded cache of bytes that can be computed again; new entries evict the oldest.

    The kernel may empty it at any time, and a forked child starts with an empty one. Only the
    values are droppable: the index of keys lies in ordinary memory. It may be used from several
    threads and from signal handlers. Wherever an exception (Ctrl-C, a timeout) or a fork comes, it
    goes on working, and no value appears under a wrong key.

        value = cache.get(key)
        if value is None:
            value = compute(key)
            cache.put(key, value)

    Args:
        size (int): bytes for all values together, at least 1.

    Raises:
        TypeError, ValueError, OverflowError, OSError: as `DroppableMemory`.
    """

    def __init__(self, size: int, /) -> None:
        """Map `size` bytes; see the class."""
        self._memory = DroppableMemory(size)
        self._closed = False
        # An entry is published by one store into this dict, and complete by then.
        self._index: dict[Hashable, Place] = {}
        self._ring = Ring(len(self._memory))

    def get(self, key: Hashable, /) -> bytes | None:
        """Look a value up.

        Args:
            key (Hashable): what it was stored under.

        Returns:
            bytes | None: the value; None if it was never stored, was evicted, or was dropped by the
            kernel.

        Raises:
            TypeError: `key` cannot be hashed.
            ValueError: the cache is closed.
        """
        self._check_open()
        place = self._index.get(key)
        if place is None or place.entry is None:
            return None
        value: bytes | None = place.entry.load()
        # Read after the copy: a place is revoked before others overwrite it.
        return None if place.revoked else value

    def put(self, key: Hashable, value: Buffer, /) -> None:
        """Store a value, replacing the one under the same key.

        If this raises, even KeyboardInterrupt, the key has its old value, the new one or none.

        Args:
            key (Hashable): what to store it under.
            value (Buffer): any C-contiguous buffer.

        Raises:
            TypeError: `value` is not a C-contiguous buffer, or `key` cannot be hashed.
            ValueError: `value` is larger than the whole cache, or the cache is closed.
        """
        self._check_open()
        hash(key)  # raises before anything is evicted
        view = _bytes_of(value)
        # An empty value takes a byte too, or the index would grow without bound.
        room = max(1, len(view))
        if room > self._ring.size:
            raise ValueError(
                f"a value of {room} bytes does not fit a cache of {self._ring.size} bytes"
            )
        place = Place(key, memoryview(self._memory))
        start = self._ring.take(place, room)
        self._evict(place.stop - self._ring.size, place.stop)
        try:
            markers = _write(place.permit, view, start)
        except (ValueError, IndexError):
            if place.revoked:
                return  # others stored as much as the cache holds meanwhile
            # PyPy has views of closed memory, of no bytes, and these errors for who writes there.
            self._check_open()
            raise
        place.written(Entry(self._memory, start, start + len(view), markers))
        self._index[key] = place
        if place.revoked:
            self._forget(place)

    def drop(self) -> None:
        """Ask the kernel to drop everything now, as `DroppableMemory.drop` does.

        Raises:
            ValueError: the cache is closed.
        """
        self._check_open()
        self._memory.drop()

    def close(self) -> None:
        """Unmap the memory. Every later use raises ValueError.

        If another thread is storing at this moment, the memory is unmapped when that thread is done
        and the cache is gone.
        """
        self._closed = True
        for place in self._ring.places():
            place.revoke()
        self._index.clear()
        with contextlib.suppress(BufferError):
            self._memory.close()

    def __enter__(self) -> Self:
        """Return the cache itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Unmap the memory."""
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the cache is closed")

    def _evict(self, start: int, stop: int) -> None:
        """Revoke the places that begin before `start`: a place that ends at `stop` overwrites them.

        Must end before the first byte is written. If interrupted, the next call starts over.
        """
        assert start < stop
        for place in self._ring.overwritten(start):
            place.revoke()
            self._forget(place)

    def _forget(self, place: Place) -> None:
        """Remove a revoked place from the index.

        A value that another thread stores under the same key at this very moment is lost too.
        """
        if self._index.get(place.key) is place:
            self._index.pop(place.key, None)


def _bytes_of(data: Buffer) -> memoryview:
    view = memoryview(data)  # type: ignore[arg-type]
    return view.cast("B") if view.nbytes else memoryview(b"")


def _write(memory: mmap.mmap | memoryview, data: memoryview, offset: int) -> tuple[int, ...]:
    """Copy `data` into the memory.

    Returns:
        tuple[int, ...]: the markers, see `Entry`.
    """
    stop = offset + len(data)
    markers = []
    at = offset
    while at < stop:
        end = min(stop, at - at % mmap.PAGESIZE + mmap.PAGESIZE)
        chunk = data[at - offset : end - offset]
        zeros = _leading_zeros(chunk)
        # Zeros need no marker: dropping the page does not change them.
        memory[at : at + zeros] = bytes(zeros)
        if zeros < len(chunk):
            # The marker is written before the bytes that it vouches for, and never again: a drop
            # between the two writes leaves it zero.
            marker = at + zeros
            memory[marker] = chunk[zeros]
            memory[marker + 1 : end] = chunk[zeros + 1 :]
            markers.append(marker)
        at = end
    return tuple(markers)


def _leading_zeros(chunk: memoryview) -> int:
    if chunk[0]:
        return 0
    return len(chunk) - len(bytes(chunk).lstrip(b"\0"))
