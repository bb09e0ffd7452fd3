# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP: one line and status 130, whenever they come."""

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
        program: The name that messages begin with.
        raising: Whether a signal must raise, because something has to be undone or shown first.
        told: Whether the user has been told already.
        before: The signals' handlers when the program started.
    """

    program = "vgetrandom"
    raising = False
    told = False
    before: ClassVar[dict[int, Any]] = {}


def install() -> None:
    """Handle the signals, except those that were ignored when the program started."""
    ignored = _ignored_by_kernel()
    for number in SIGNALS:
        before = signal.getsignal(number)
        if before != signal.SIG_IGN and not ignored >> (number - 1) & 1:
            signal.signal(number, _handle)
            _State.before[number] = before
    atexit.register(_finish)


def _ignored_by_kernel() -> int:
    """Return the set of ignored signals, a bit for each.

    PyPy's getsignal() gives the default for signals that were ignored when it started.
    """
    # Not through pathlib, whose import is long enough for a signal to come.
    with contextlib.suppress(OSError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"SigIgn:"):
                return int(line.split()[1], 16)
    return 0


def uninstall() -> None:
    """Handle the signals as before."""
    atexit.unregister(_finish)
    for number, before in _State.before.items():
        signal.signal(number, before)
    _State.before.clear()


def _finish() -> None:
    # The command and all later exit hooks have ended. The interpreter removes handlers before it
    # ends, and a signal would then kill it.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def speak_as(program: str) -> None:
    """Set the name that messages begin with.

    Args:
        program (str): The program and its command.
    """
    _State.program = program


def program() -> str:
    """Return the name of the running program.

    Returns:
        str: The program and its command.
    """
    return _State.program


def _handle(_number: int, _frame: object) -> None:
    if _State.raising:
        raise KeyboardInterrupt
    # Not by an exception: one that is raised in a destructor or during an import would be printed
    # with its traceback, and could be lost.
    leave()


def tell(text: str = "interrupted") -> None:
    """Say once that the program is being interrupted.

    Args:
        text (str): What to say.
    """
    if not _State.told:
        _State.told = True
        # Not through sys.stderr, which may be in the middle of a write.
        with contextlib.suppress(OSError):
            os.write(2, f"{_State.program}: {text}\n".encode())


def leave() -> NoReturn:
    """End the program at once."""
    tell()
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Make the signals raise KeyboardInterrupt inside this context."""
    hook = sys.unraisablehook

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        # It came in a destructor, which cannot propagate it, so it is raised again a moment later.
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
