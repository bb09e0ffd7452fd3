# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP: one line and status 130, in whatever phase they come."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from vgetrandom.cli._statuses import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """What the signal handler needs to know.

    Attributes:
        program: Who speaks.
        raising: Whether something is under way that has to be put right or shown.
        told: Whether the user knows already.
        before: What handled the signals when the program started.
    """

    program = "vgetrandom"
    raising = False
    told = False
    before: ClassVar[dict[int, Any]] = {}


def install() -> None:
    """Handle the signals, except those that whoever started the program has set to be ignored."""
    for number in SIGNALS:
        before = signal.getsignal(number)
        if before != signal.SIG_IGN:
            signal.signal(number, _handle)
            _State.before[number] = before
    atexit.register(_finish)


def uninstall() -> None:
    """Handle the signals as before."""
    atexit.unregister(_finish)
    for number, before in _State.before.items():
        signal.signal(number, before)
    _State.before.clear()


def _finish() -> None:
    # The command has ended, and so have the exit hooks that others have registered since. What is
    # left of the interpreter takes handlers away before it ends, and a signal would kill it.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def speak_as(program: str) -> None:
    """Set who is said to be interrupted.

    Args:
        program (str): The program and its command.
    """
    _State.program = program


def program() -> str:
    """Tell who is running.

    Returns:
        str: The program and its command.
    """
    return _State.program


def _handle(_number: int, _frame: object) -> None:
    if _State.raising:
        raise KeyboardInterrupt
    # Not an exception: one that is raised in a destructor or during an import would be printed with
    # its traceback, and might be lost.
    leave()


def tell(text: str = "interrupted") -> None:
    """Say once that the program is being interrupted.

    Args:
        text (str): What to say.
    """
    if not _State.told:
        _State.told = True
        # Not through sys.stderr, which may be in the middle of a write of its own.
        with contextlib.suppress(OSError):
            os.write(2, f"{_State.program}: {text}\n".encode())


def leave() -> NoReturn:
    """End the program at once."""
    tell()
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """While in this context, have the signals raise KeyboardInterrupt."""
    hook = sys.unraisablehook

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        # It came in a destructor, which cannot pass it on: once more, a moment later.
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, _handle)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
        else:
            hook(unraisable)

    sys.unraisablehook = again
    _State.raising = True
    try:
        yield
    finally:
        _State.raising = False
        sys.unraisablehook = hook
