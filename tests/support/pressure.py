# SPDX-License-Identifier: MIT
"""Draws under real memory pressure: `python -m support.pressure GROUP OUTPUTS`.

The process joins a memory cgroup and draws in threads, while a child of it allocates: ordinary
memory that fits the group, and droppable memory that does not fit beside it. So the kernel drops
pages, those of the states among them. It goes on until each thread has lost its state several
times over, and prints what it saw as JSON; what was drawn is in the file OUTPUTS.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import vgetrandom
from vgetrandom.droppable import DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20

LIMIT = 128 * MIB
"""Of the group: enough for this process, ORDINARY and half of DROPPABLE."""

DROPPABLE = 64 * MIB
ORDINARY = 56 * MIB
THREADS = 8
LOSSES = 3 * THREADS
"""How many states have to be lost."""

SIZE = 16
"""Bytes of a draw."""

PATIENCE = 30
"""Seconds after which it ends although fewer were lost."""

ROOM = 60_000
"""Draws for which each thread has room: more than it makes in that time."""


def allocate_for_ever() -> None:
    """Touch droppable memory, and ordinary memory that does not fit beside it, over and over."""

    def touch(memory: mmap.mmap | DroppableMemory) -> None:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1

    droppable = DroppableMemory(DROPPABLE)
    while True:
        touch(droppable)
        with mmap.mmap(-1, ORDINARY, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as ordinary:
            touch(ordinary)


class Drawing:
    """What one thread draws, and the longest that one of its draws took."""

    def __init__(self) -> None:
        # Touched beforehand, so that a stall is one of the draw and not of this memory.
        self.outputs = bytearray(b"x" * (ROOM * SIZE))
        self.count = 0
        self.slowest = 0.0

    def draw(self) -> None:
        before = time.perf_counter()
        output = vgetrandom.random_bytes(SIZE)
        self.slowest = max(self.slowest, time.perf_counter() - before)
        self.outputs[self.count * SIZE : (self.count + 1) * SIZE] = output
        self.count += 1

    def draw_until(self, stop: threading.Event) -> None:
        while self.count < ROOM and not stop.is_set():
            for _ in range(20):
                self.draw()
            time.sleep(0.01)


@contextlib.contextmanager
def allocating() -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-P",
        "-c",
        "from support import pressure as it; it.allocate_for_ever()",
    ]
    with subprocess.Popen(command) as child:
        try:
            yield child
        finally:
            child.kill()


def states_lost() -> int:
    return vgetrandom.stats().reseeds["wiped"]


def main(outputs: Path) -> dict[str, object]:
    """Draw under pressure; return what is printed."""
    drawings = [Drawing() for _ in range(THREADS)]
    stop = threading.Event()
    threads = [threading.Thread(target=each.draw_until, args=(stop,)) for each in drawings]
    with allocating() as child:
        for thread in threads:
            thread.start()
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends and states_lost() < LOSSES and child.poll() is None:
            time.sleep(0.02)
        survived = child.poll() is None
        stop.set()
        for thread in threads:
            thread.join()
    outputs.write_bytes(b"".join(each.outputs[: each.count * SIZE] for each in drawings))
    return {
        "lost": states_lost(),
        "drawn": [each.count for each in drawings],
        "slowest": max(each.slowest for each in drawings),
        "survived": survived,
    }


if __name__ == "__main__":
    group, file = map(Path, sys.argv[1:])
    (group / "cgroup.procs").write_text(str(os.getpid()))
    print(json.dumps(main(file)))
