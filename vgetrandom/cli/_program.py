# SPDX-License-Identifier: MIT
"""The process around a command: its streams, its signals, its exit status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vgetrandom.cli import _interrupts, _streams
from vgetrandom.cli._statuses import FAILED, OK, READER_GONE

if TYPE_CHECKING:
    from collections.abc import Callable


def run(main: Callable[[], int]) -> int:
    """Run a command whose every end is a documented one.

    Args:
        main (Callable[[], int]): Runs the command, and returns its exit status.

    Returns:
        int: The exit status of the process.
    """
    _streams.install()
    try:
        with _streams.flushed():
            return main()
    except _streams.ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        _interrupts.leave()
    except SystemExit as end:  # argparse's
        return end.code if isinstance(end.code, int) else OK
    except _streams.OutputError as error:
        _fail(f"cannot write to standard output: {error.strerror}")
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ImportError as error:
        _fail(_shortage() or str(error))
    except MemoryError:
        _fail("not enough memory")
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        _fail(str(error))
    return FAILED


def _fail(text: str) -> None:
    _streams.say(f"{_interrupts.program()}: error: {' '.join(text.split())}")


def _shortage() -> str:
    """Why files cannot be opened, where none can: modules then look as if they were missing."""
    try:
        os.close(os.open("/", os.O_RDONLY))
    except OSError as error:
        return error.strerror or ""
    return ""
