"""Droppable memory (``MAP_DROPPABLE``, Linux 6.11): the kernel may zero any page of it at any time.

It is for caches that can be rebuilt. The kernel takes the pages back instead of swapping, or
instead of killing a process; it never writes them to swap or to a core dump, and a forked child
reads zeros.

A page that reads as data now may read as zeros at the next instruction, so only a check *after* use
says anything. `DroppableMemory.store` returns an `Entry` that can make this check; `DroppableCache`
is the usual pattern on top of it.
"""

from __future__ import annotations

import errno
import io
import mmap
import operator
import os
import threading
from collections.abc import Hashable
from typing import NoReturn, Self

from vgetrandom._typing import Buffer

__all__ = ["DroppableCache", "DroppableMemory", "Entry"]

# Python has no names for these; the values hold on every architecture that has MAP_DROPPABLE.
MAP_DROPPABLE = 0x08
MADV_PAGEOUT = 21
ENOTSUPP = 524

# A kernel without the mapping type, or a sandbox in front of it, answers with one of these.
_NOT_HERE = frozenset({errno.EINVAL, errno.EOPNOTSUPP, ENOTSUPP, errno.EPERM, errno.ENOSYS})


class DroppableMemory(mmap.mmap):
    """Anonymous memory that the kernel may zero, page by page, at any time.

    An `mmap.mmap` without a file: it has the buffer protocol, ``len``, indexing, ``madvise`` and
    works as a context manager. ``close()`` raises BufferError while a buffer is exported, so memory
    is never unmapped under a live view; after it every use raises ValueError.

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
            # A mapping type of its own: with MAP_PRIVATE or MAP_SHARED the kernel refuses it.
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

        Writing through the buffer or storing over an entry makes the older entry meaningless: it
        tells a dropped page from a kept one, not its own bytes from others.

        Args:
            data (Buffer): any C-contiguous buffer.
            offset (int): where its first byte goes, in bytes from the start of the memory.

        Returns:
            Entry: what reads the bytes back.

        Raises:
            TypeError: `data` is not a C-contiguous buffer.
            ValueError: `data` at `offset` does not lie inside the memory, or the memory is closed.
        """
        view = memoryview(data)  # type: ignore[arg-type]
        view = view.cast("B") if view.nbytes else memoryview(b"")
        stop = offset + len(view)
        if offset < 0 or stop > len(self):
            raise ValueError(
                f"bytes {offset} to {stop} do not lie in a memory of {len(self)} bytes"
            )
        markers = []
        at = offset
        while at < stop:
            end = min(stop, at - at % mmap.PAGESIZE + mmap.PAGESIZE)
            chunk = view[at - offset : end - offset]
            zeros = _leading_zeros(chunk)
            # Zeros need no marker: dropping the page does not change them.
            self[at : at + zeros] = bytes(zeros)
            if zeros < len(chunk):
                # The marker goes in before the bytes that it vouches for, and is not written again:
                # a drop between the two writes leaves it zero.
                marker = at + zeros
                self[marker] = chunk[zeros]
                self[marker + 1 : end] = chunk[zeros + 1 :]
                markers.append(marker)
            at = end
        return Entry(self, offset, stop, tuple(markers))

    def drop(self) -> None:
        """Ask the kernel to drop every page now: for testing what happens when it does.

        Works without privileges and without swap. A page that the kernel is using stays, so a test
        asks again until it sees the loss.

        Raises:
            ValueError: the memory is closed.
        """
        self.madvise(MADV_PAGEOUT)

    def _no_file(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise io.UnsupportedOperation("droppable memory has no file, and its size is fixed")

    flush = resize = size = _no_file


class Entry:
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
        """Ask whether no page has been dropped since the bytes were stored.

        The answer is about the past. When the bytes are used in place, use them first, ask then,
        and throw the result away on False.

        Returns:
            bool: True if everything read from this entry before the call was what had been stored.

        Raises:
            ValueError: the memory is closed.
        """
        return all(map(self._memory.__getitem__, self._markers))


class DroppableCache:
    """A bounded cache of bytes that can be computed again; new entries push out the oldest.

    The kernel may empty it at any time, and a forked child starts with an empty one. Only the
    values are droppable: the index of keys lies in ordinary memory. May be used from several
    threads and from signal handlers.

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
        # In the order stored, which is the order in the ring: the oldest lies next after `_head`.
        self._slots: dict[Hashable, tuple[int, int, Entry]] = {}
        self._head = 0
        self._storing = threading.Lock()

    def get(self, key: Hashable, /) -> bytes | None:
        """Look a value up.

        Args:
            key (Hashable): what it was stored under.

        Returns:
            bytes | None: the value; None if it was never stored, made room for others or was
            dropped by the kernel.

        Raises:
            ValueError: the cache is closed.
        """
        slot = self._slots.get(key)
        if slot is None:
            return None
        value = slot[2].load()
        # `put` takes a slot out of the index before it writes there: still in means not written.
        return value if self._slots.get(key) is slot else None

    def put(self, key: Hashable, value: Buffer, /) -> None:
        """Store a value, in place of the one under the same key.

        Args:
            key (Hashable): what to store it under.
            value (Buffer): any C-contiguous buffer.

        Raises:
            TypeError: `value` is not a C-contiguous buffer, or `key` cannot be hashed.
            ValueError: `value` is larger than the whole cache, or the cache is closed.
        """
        # An empty value takes a byte too, or the index would grow without bound.
        room = max(1, memoryview(value).nbytes)  # type: ignore[arg-type]
        if room > len(self._memory):
            raise ValueError(
                f"a value of {room} bytes does not fit a cache of {len(self._memory)} bytes"
            )
        # A cache may forget. To wait could be for ever, in a forked child or a signal handler.
        if not self._storing.acquire(blocking=False):
            return
        try:
            self._slots.pop(key, None)
            if self._head + room > len(self._memory):
                self._evict(self._head, len(self._memory))
                self._head = 0
            start, self._head = self._head, self._head + room
            self._evict(start, self._head)
            self._slots[key] = (start, self._head, self._memory.store(value, start))
        finally:
            self._storing.release()

    def drop(self) -> None:
        """Ask the kernel to drop everything now, as `DroppableMemory.drop` does.

        Raises:
            ValueError: the cache is closed.
        """
        self._memory.drop()

    def close(self) -> None:
        """Unmap the memory. Every later use that needs it raises ValueError."""
        self._memory.close()

    def __enter__(self) -> Self:
        """Nothing to do: the memory is mapped already."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Unmap the memory."""
        self.close()

    def _evict(self, start: int, stop: int) -> None:
        """Take the entries between two offsets out of the index; they are the oldest ones."""
        while self._slots:
            oldest = next(iter(self._slots))
            its_start, its_stop, _ = self._slots[oldest]
            if its_start >= stop or its_stop <= start:
                return
            del self._slots[oldest]


def _leading_zeros(chunk: memoryview) -> int:
    if chunk[0]:
        return 0
    return len(chunk) - len(bytes(chunk).lstrip(b"\0"))
