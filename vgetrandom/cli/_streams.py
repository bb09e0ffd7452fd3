# SPDX-License-Identifier: MIT
"""Standard output that is complete or reports an error; standard error that never fails."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from typing_extensions import Buffer

STDOUT, STDERR = 1, 2

_PATIENCE_MS = 1000
"""How long a message waits for a reader of standard error."""

_closed: set[int] = set()
"""The standard streams that were closed when the program started."""

_before: list[tuple[TextIO, TextIO]] = []
"""sys.stdout and sys.stderr as they were."""


class OutputError(OSError):
    """Standard output cannot be written to."""


class ReaderGoneError(OutputError):
    """The reader of standard output has gone away."""


def write_some(data: Buffer, descriptor: int = STDOUT) -> int:
    """Write as much to standard output as it accepts at once, waiting while it accepts nothing.

    Args:
        data (Buffer): What to write.
        descriptor (int): A file other than standard output.

    Returns:
        int: The number of bytes written.

    Raises:
        ReaderGoneError: It is a pipe or a socket without a reader.
        OutputError: It cannot be written to for another reason.
    """
    if descriptor in _closed:
        raise OutputError(errno.EBADF, "standard output is closed")
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            # Another process made it non-blocking, which affects all that share it.
            _wait(descriptor, None)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ReaderGoneError(error.errno, error.strerror) from None
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from None


def say(text: str) -> None:
    """Print a line on standard error, if it is open.

    Args:
        text (str): What to say.
    """
    # print(file=None) would write to standard output.
    if sys.stderr:
        print(text, file=sys.stderr, flush=True)


def _wait(descriptor: int, milliseconds: int | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(milliseconds))


class _Output(io.RawIOBase):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._failed = False

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Buffer) -> int:
        left = memoryview(data)
        size = len(left)
        # The interpreter flushes again when it ends; by then the error has been reported.
        while left and not self._failed:
            try:
                left = left[write_some(left, self._descriptor) :]
            except OutputError:
                self._failed = True
                raise
        return size


class _Messages(_Output):
    def write(self, data: Buffer) -> int:
        left = memoryview(data)
        size = len(left)
        with contextlib.suppress(OSError):
            while left:
                try:
                    left = left[os.write(self._descriptor, left) :]
                except BlockingIOError:
                    if not _wait(self._descriptor, _PATIENCE_MS):
                        break
        return size


def _text(raw: io.RawIOBase, old: object, errors: str) -> io.TextIOWrapper:
    encoding = getattr(old, "encoding", None) or "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=raw.isatty()
    )


def _occupy_closed() -> None:
    """Occupy the descriptors of closed streams, or the next opened file would become one."""
    for descriptor in (0, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            _closed.add(descriptor)
    while _closed:
        # Reading returns the end of file at once, and writing fails as if it were closed. /dev/null
        # may be missing.
        try:
            reader, writer = os.pipe()
        except OSError:
            return
        os.close(writer)
        if reader > STDERR:
            os.close(reader)
            return


def install() -> None:
    """Replace sys.stdout and sys.stderr of this program."""
    _occupy_closed()
    _before.append((sys.stdout, sys.stderr))
    # A character that the terminal cannot show must not end the program. Tables stay aligned.
    sys.stdout = _text(_Output(STDOUT), sys.stdout, "replace")
    sys.stderr = _text(_Messages(STDERR), sys.stderr, "backslashreplace")


def uninstall() -> None:
    """Restore the streams that the program was started with."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    sys.stdout, sys.stderr = _before.pop()
    for descriptor in _closed:
        os.close(descriptor)
    _closed.clear()


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Flush sys.stdout at the end, so that an error is raised here."""
    try:
        yield
    finally:
        if sys.stdout:
            sys.stdout.flush()
