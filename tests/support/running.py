# SPDX-License-Identifier: MIT
"""Running a test's work elsewhere: in a thread that is really gone afterwards, in a child."""

from __future__ import annotations

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
    from collections.abc import Callable

P = ParamSpec("P")


def join(thread: threading.Thread) -> None:
    """Wait until the thread is gone for the kernel too, its exit hooks done."""
    thread.join()
    task = Path(f"/proc/self/task/{thread.native_id}")
    while task.exists():
        time.sleep(0.001)


def in_thread(work: Callable[[], object]) -> None:
    """Run `work` in a new thread, whose first draw is a first one, and raise what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    join(thread)
    if raised:
        raise raised[0]


def threaded(test: Callable[P, object]) -> Callable[P, None]:
    """Make a test run in a new thread."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_thread(lambda: test(*args, **kwargs))

    return run


def read_all(fd: int) -> bytes:
    """Read until the other end is closed."""
    with os.fdopen(fd, "rb") as pipe:
        return pipe.read()


def finish(pid: int) -> None:
    """Wait for a child and expect it to have ended well."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with status {status:#x}"


SYS_CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
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


def in_child(work: Callable[[], bytes], fork: Callable[[], int] = os.fork) -> bytes:
    """Run `work` in a child made by `fork` and return what it returned."""
    receiver, sender = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.close(receiver)
            with os.fdopen(sender, "wb") as pipe:
                pipe.write(work())
            os._exit(0)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(sender)
    result = read_all(receiver)
    finish(pid)
    return result


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
