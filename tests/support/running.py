# SPDX-License-Identifier: MIT
"""Running a test's work elsewhere: in threads that are really gone afterwards, in children."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")

# --- threads ---


def join(thread: threading.Thread) -> None:
    """Wait until the thread is gone for the kernel too, its exit hooks done."""
    thread.join()
    task = Path(f"/proc/self/task/{thread.native_id}")
    while task.exists():
        time.sleep(0.001)


@contextlib.contextmanager
def threads(count: int, work: Callable[[int], object]) -> Iterator[None]:
    """Run `work` in that many new threads, each with its number, while the block runs.

    The end of the block waits until all are gone, and raises what the first of them raised.
    """
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for thread in running:
            join(thread)
    if raised:
        raise raised[0]


def meeting(count: int) -> threading.Barrier:
    """Where that many threads wait for each other, for a minute at most.

    When one of them fails, or its test skips, the others must not wait for ever.
    """
    return threading.Barrier(count, timeout=60)


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run `work` in that many new threads at once, each with its number, and wait for them."""
    with threads(count, work):
        pass


def in_thread(work: Callable[[], object]) -> None:
    """Run `work` in a new thread, whose first draw is a first one, and raise what it raises."""
    in_threads(1, lambda _: work())


@contextlib.contextmanager
def meanwhile(work: Callable[[], object], count: int = 1) -> Iterator[None]:
    """Do `work` over and over in other threads until the block ends; raise what it raises."""
    stop = threading.Event()

    def repeat(_: int) -> None:
        while not stop.is_set():
            work()

    with threads(count, repeat):
        try:
            yield
        finally:
            stop.set()


def threaded(test: Callable[P, object]) -> Callable[P, None]:
    """Make a test run in a new thread."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_thread(lambda: test(*args, **kwargs))

    return run


# --- children ---

SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}.get(platform.machine())
CLONE_NEWPID = 0x20000000
# PyDLL keeps the GIL: nobody else holds it in the child. PyPy has no PyDLL.
_LIBC = getattr(ctypes, "PyDLL", ctypes.CDLL)(None, use_errno=True)


def _clone(flags: int) -> int:
    if SYS_CLONE is None:
        pytest.skip(f"the number of clone(2) on {platform.machine()} is not known here")
    pid = int(_LIBC.syscall(SYS_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0))
    if pid < 0:
        pytest.skip(f"clone(2) with {flags:#x} is refused: {os.strerror(ctypes.get_errno())}")
    return pid


def raw_clone() -> int:
    """Fork by the bare system call: no pthread_atfork(3) handler runs, nor any of Python's."""
    return _clone(0)


def clone_newpid() -> int:
    """Fork in the same way, as process 1 of a new PID namespace."""
    return _clone(CLONE_NEWPID)


def glibc_fork() -> int:
    """Fork by libc's function."""
    return int(_LIBC.fork())


def read_all(descriptor: int) -> bytes:
    """Read until the other end is closed."""
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()


def finish(pid: int) -> None:
    """Wait for a child and expect it to have ended well."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with status {status:#x}"


class Fork:
    """One fork at a moment of the test's choice; child and parent both go on with the test.

    Call the object where the fork is to happen: it takes and ignores arguments, so that it can be
    a signal handler, and only the first call forks. The child's part of the test ends in `tell`,
    where the parent receives what the child has to tell.
    """

    def __init__(self, fork: Callable[[], int] = os.fork) -> None:
        self._fork = fork
        self._pid: int | None = None
        self._receiver = self._sender = -1
        self.happened = False

    @property
    def in_child(self) -> bool:
        """Whether this is the child."""
        return self._pid == 0

    def __call__(self, *_: object) -> None:
        """Fork, unless it was done before."""
        if not self.happened:
            self.happened = True
            self._receiver, self._sender = os.pipe()
            self._pid = self._fork()

    def run_in_child(self, work: Callable[[int], object]) -> None:
        """Run `work` with the pipe's end in the child, and end that."""
        if self.in_child:
            try:
                os.close(self._receiver)
                work(self._sender)
                os._exit(0)
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
            finally:
                os._exit(1)

    def status(self) -> tuple[bytes, int]:
        """Return what the child wrote, and its exit code, which is negative for a signal."""
        assert self._pid
        os.close(self._sender)
        told = read_all(self._receiver)
        return told, os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def tell(self, data: bytes) -> bytes:
        """End the child, which tells `data`; return in the parent what it told."""
        self.run_in_child(lambda sender: _write_all(sender, data))
        told, code = self.status()
        assert code == 0, f"the child ended with {code}"
        return told


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def end_of_child(
    work: Callable[[int], object], fork: Callable[[], int] = os.fork
) -> tuple[bytes, int]:
    """Run `work` in a child, with a pipe's end to write to.

    Returns:
        What was written there, and the child's exit code, which is negative for a signal.
    """
    child = Fork(fork)
    child()
    child.run_in_child(work)
    return child.status()


def in_child(work: Callable[[], bytes], fork: Callable[[], int] = os.fork) -> bytes:
    """Run `work` in a child made by `fork` and return what it returned."""
    told, code = end_of_child(lambda sender: _write_all(sender, work()), fork)
    assert code == 0, f"the child ended with {code}"
    return told


def isolated(test: Callable[P, object]) -> Callable[P, None]:
    """Make a test run in a forked child; fail or skip as it does there."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        def outcome() -> bytes:
            try:
                test(*args, **kwargs)
            except pytest.skip.Exception as skipped:
                return f"skipped {skipped}".encode()
            except BaseException:  # noqa: BLE001
                return traceback.format_exc().encode()
            return b""

        text = in_child(outcome).decode()
        if text.startswith("skipped "):
            pytest.skip(text.removeprefix("skipped "))
        if text:
            pytest.fail(text, pytrace=False)

    return run
