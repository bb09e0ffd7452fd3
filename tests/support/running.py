"""Running a test's work elsewhere: in a thread that is really gone afterwards, in a child."""

from __future__ import annotations

import functools
import os
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
