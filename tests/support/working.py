# SPDX-License-Identifier: MIT
"""What children do in the tests of vgetrandom._child; they import this module by its name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[object], None]


def echo(send: Send, *arguments: Any) -> None:
    for argument in arguments:
        send(argument)


def talk(send: Send, size: int) -> None:
    os.write(1, b"from C\n")
    sys.stdout.write("o" * size)
    sys.stderr.write("e" * size + "\nlast words\n")
    sys.stdout.flush()
    send("answer")


def raise_error(send: Send) -> None:
    send("answer")
    raise LookupError("nothing here")


def die(send: Send) -> None:
    send("answer")
    os.kill(os.getpid(), signal.SIGKILL)


def hang(send: Send, path: str) -> None:
    try:
        send(os.getpid())
        time.sleep(60)
    finally:
        Path(path).write_text("cleaned up")


def leave_a_process(send: Send) -> None:
    if not os.fork():
        send(os.getpid())
        time.sleep(60)
        os._exit(0)
    os._exit(0)


def nested(send: Send, levels: int) -> None:
    from vgetrandom import _child

    try:
        with _child.start_interpreter(nested, levels + 1) as child:
            for answer in child.results():
                send(answer)
    except _child.NoChildError:
        send(levels)
