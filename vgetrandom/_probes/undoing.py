# SPDX-License-Identifier: MIT
"""Undoes what a probe changed on the machine, even if the probe is killed meanwhile.

After SIGKILL, which is also what the kernel sends when memory runs out, no `finally` runs. So a
second process does the undoing. It also does it if the block does not end in time.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vgetrandom import _fork
from vgetrandom._probes.prober import NotHere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 300.0  # seconds; longer than any block takes
LOOK = 0.1  # seconds between two looks whether the process is still there


def name() -> str:
    """Return a name for something new, which tells whose it is and that nothing has yet."""
    return f"vgetrandom-{os.getpid()}-{os.urandom(8).hex()}"


@contextlib.contextmanager
def undone(undo: Callable[[], object], patience: float = PATIENCE) -> Iterator[None]:
    """Undo a change when the block or this process ends, however it ends.

    Args:
        undo: Undoes the change. It is called in a forked process, and once more in this one if
            that process was killed. There may be nothing to undo.
        patience: Seconds after which it is called even if the block has not ended.

    Raises:
        NotHere: The process that is to undo it was killed at its start.
        OSError: That process cannot be started.
    """
    parent = os.getpid()
    ours, theirs = socket.socketpair()
    with ours, _fork.held_signals() as release:

        def keep() -> None:
            # Only the end of the other process counts, and not what tells both of them to end.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            os.setsid()
            ours.close()
            theirs.send(b"!")
            _wait(theirs, parent, time.monotonic() + patience)
            undo()

        with theirs:
            pid = _fork.fork(keep)
        status = 1
        try:
            release()
            if not ours.recv(1):
                raise NotHere("not tried: the process that would undo the change was killed")
            yield
        finally:
            # Closing would not do: forks of this process have the socket too.
            ours.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ChildProcessError):  # the program ignores SIGCHLD
                _, status = os.waitpid(pid, 0)
            if status:
                undo()


def _wait(other: socket.socket, parent: int, deadline: float) -> None:
    """Wait until the other end is shut down, the parent is gone, or the time is over."""
    ended = select.poll()
    ended.register(other, select.POLLIN)
    while os.getppid() == parent and time.monotonic() < deadline:
        if ended.poll(LOOK * 1000):
            return


@contextlib.contextmanager
def directory(
    parent: str | None = None, before: Callable[[Path], object] = lambda _: None
) -> Iterator[Path]:
    """Make a directory that only we may enter, and remove it with all that is in it.

    Args:
        parent: Where; in the directory for temporary files if it is None.
        before: Called with its path before it is removed, perhaps twice.

    Yields:
        Its path.
    """
    path = Path(parent or tempfile.gettempdir(), name())

    def remove() -> None:
        before(path)
        shutil.rmtree(path, ignore_errors=True)

    with undone(remove):
        path.mkdir(0o700)
        yield path
