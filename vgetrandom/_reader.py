# SPDX-License-Identifier: MIT
"""`reader()`: random bytes as a file."""

from __future__ import annotations

import io

from vgetrandom import random_bytes, random_bytes_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer


class Reader(io.RawIOBase):
    """An endless binary file of random bytes, like ``/dev/urandom`` opened without a buffer.

    Reading never returns less than was asked for. A read without a size (``read()``,
    ``read(-1)``, ``readall()``) raises `ValueError`.
    """

    def readable(self) -> bool:
        """Return True, unless the file is closed."""
        self._refuse_if_closed()
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a writable contiguous buffer and return its size in bytes."""
        self._refuse_if_closed()
        with memoryview(buffer) as view:
            random_bytes_into(view)
            return view.nbytes

    def read(self, size: int | None = -1, /) -> bytes:
        """Return size random bytes.

        Args:
            size (int | None): How many.

        Returns:
            bytes: Exactly that many.

        Raises:
            ValueError: size is negative or None, or the file is closed.
        """
        self._refuse_if_closed()
        if size is None or size < 0:
            raise ValueError("random bytes have no end: say how many to read")
        return random_bytes(size)

    def readall(self) -> bytes:
        """Refuse: the file has no end."""
        return self.read(-1)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Refuse: random bytes have no lines."""
        self._refuse_if_closed()
        raise io.UnsupportedOperation(f"readline({size}) of random bytes")

    def write(self, data: Buffer, /) -> int:  # noqa: ARG002
        """Refuse: the file is read-only."""
        raise io.UnsupportedOperation("not writable")

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")


def reader() -> Reader:
    """Open an endless file of random bytes.

    For code that reads from a file: ``read(n)`` and ``readinto(buffer)`` return as much as was
    asked for, from the calling thread's generator. The object holds no descriptor and no state, so
    threads and forked children can share it.

    Returns:
        io.RawIOBase: The file.
    """
    return Reader()
