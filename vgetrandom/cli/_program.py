# SPDX-License-Identifier: MIT
"""The process around a command: its streams, its signals, its exit status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vgetrandom.cli import _interrupts, _streams
from vgetrandom.cli._statuses import FAILED, OK, READER_GONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


class _Become(BaseException):
    """Raised by a command that wants another program to take over the process."""

    def __init__(self, program: Callable[[], None]) -> None:
        self.program = program


def become(program: Callable[[], None]) -> int:
    """Run another program in place of this one, with the streams and signals as they were.

    Args:
        program (Callable[[], None]): What to run. What it raises is for the interpreter.

    Returns:
        int: The exit status 0.
    """
    if _active:
        raise _Become(program)
    program()
    return OK


_active: list[bool] = []
"""Whether `run` is running."""


def run(main: Callable[[], int]) -> int:
    """Run a command, so that it can only end in a documented way.

    Args:
        main (Callable[[], int]): Runs the command, and returns its exit status.

    Returns:
        int: The exit status of the process.
    """
    _streams.install()
    _active.append(True)
    program: Callable[[], None]
    try:
        return _guarded(main)
    except _Become as successor:
        program = successor.program
    finally:
        _active.clear()
    _streams.uninstall()
    _interrupts.uninstall()
    program()
    return OK


def _guarded(main: Callable[[], int]) -> int:
    try:
        with _streams.flushed():
            return main()
    except _streams.ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        _interrupts.leave()
    except _streams.OutputError as error:
        _fail(f"cannot write to standard output: {error.strerror}")
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (ImportError, SystemError) as error:  # SystemError: the interpreter lacks memory
        _end_without_memory(str(error))
    except MemoryError:
        _end_without_memory("not enough memory")
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        _fail(str(error))
    return FAILED


def _end_without_memory(text: str) -> NoReturn:
    """End at once: without memory the interpreter may fail at its next return from a function."""
    try:
        _fail(text)
    finally:
        os._exit(FAILED)


def _fail(text: str) -> None:
    _streams.say(f"{_interrupts.program()}: error: {' '.join(text.split())}")
