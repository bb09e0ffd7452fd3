# SPDX-License-Identifier: MIT
"""Forks a child that runs one function, in which nothing of the parent's goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn


@contextlib.contextmanager
def held_signals() -> Iterator[Callable[[], object]]:
    """Block signals until a new child is sure to be ended by someone.

    A handler that raises between the fork and the `try` would leave the child running.

    Yields:
        Callable[[], object]: Unblocks them.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def fork(run: Callable[[], None], how: Callable[[], int] = os.fork) -> int:
    """Fork a child that runs a function and ends, whatever happens.

    None of the parent's signal handlers, exception handlers and exit hooks run in it.

    Args:
        run (Callable): What the child does; if it raises, the child ends with a traceback and
            status 1.
        how (Callable): The function that forks.

    Returns:
        int: The child's process id.

    Raises:
        OSError: No process can be started.
        RuntimeError: Forking is forbidden in this subinterpreter.
    """
    # If a handler raised in the child before the `try`, the child would go on as its parent.
    with held_signals():
        pid = how()
        if pid == 0:
            _be_forked(run)
    if pid < 0:
        # Must never be taken for a child's id: kill(-1) reaches every process there is.
        raise OSError(errno.EAGAIN, "no process can be started")
    return pid


def _be_forked(run: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        run()
        status = 0
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001  # whatever it is, the parent must learn of it
        os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
    finally:
        os._exit(status)
