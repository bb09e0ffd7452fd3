# SPDX-License-Identifier: MIT
"""Real memory pressure: the kernel takes the states away while threads draw from them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vgetrandom import info
from vgetrandom._probes import cgroup
from vgetrandom._probes.memory import MIB
from vgetrandom._probes.prober import NotHere

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 8
SIZE = 16
LIMIT = 128 * MIB
STALL = 1.0  # seconds

# Joins the memory cgroup and draws there until every thread has lost its state several times over.
# The room for the outputs is touched beforehand, so that a stall is one of the draw.
DRAWING = """
import json, os, subprocess, sys, threading, time
import vgetrandom

threads, size, group, results, allocating = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
with open(group + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
room = 60_000  # for the 30 s that it may take
outputs = [bytearray(b"x" * (room * size)) for _ in range(threads)]
drawn, slowest = [0] * threads, [0.0] * threads
stop = threading.Event()


def draw(number):
    mine, count = outputs[number], 0
    while count < room and not stop.is_set():
        for _ in range(20):
            before = time.perf_counter()
            random = vgetrandom.random_bytes(size)
            slowest[number] = max(slowest[number], time.perf_counter() - before)
            mine[count * size : count * size + size] = random
            count += 1
        drawn[number] = count
        time.sleep(0.01)


def wiped():
    return vgetrandom.stats().reseeds["wiped"]


workers = [threading.Thread(target=draw, args=(number,)) for number in range(threads)]
child = subprocess.Popen([sys.executable, "-P", "-c", allocating])
for worker in workers:
    worker.start()
ends = time.monotonic() + 30
while time.monotonic() < ends and wiped() < 3 * threads and child.poll() is None:
    time.sleep(0.02)
survived = child.poll() is None
stop.set()
for worker in workers:
    worker.join()
child.kill()
child.wait()
with open(results, "wb") as file:
    for mine, count in zip(outputs, drawn):
        file.write(mine[: count * size])
print(json.dumps({
    "wiped": wiped(), "drawn": drawn, "slowest": max(slowest), "survived": survived
}))
"""

# Ordinary memory that fits the group, next to droppable memory that does then not.
ALLOCATING = """
import mmap
from vgetrandom.droppable import DroppableMemory

def fill(memory):
    for at in range(0, len(memory), mmap.PAGESIZE):
        memory[at] = 1

droppable = DroppableMemory(64 << 20)
while True:
    fill(droppable)
    with mmap.mmap(-1, 56 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as ordinary:
        fill(ordinary)
"""


@pytest.mark.skipif(info().memory != "droppable", reason=f"states live in {info().memory} memory")
def test_draws_go_on_while_the_kernel_drops_the_states(tmp_path: Path) -> None:
    results = tmp_path / "outputs"
    try:
        with cgroup.memory_group(LIMIT) as group:
            arguments = [str(THREADS), str(SIZE), str(group.path), str(results), ALLOCATING]
            done = subprocess.run(
                [sys.executable, "-P", "-c", DRAWING, *arguments],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
    except (NotHere, OSError) as reason:
        pytest.skip(str(reason))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["survived"], "the allocating child was killed: the pressure was too much"
    assert seen["wiped"] >= 3 * THREADS, seen
    assert min(seen["drawn"]) > 0, seen
    assert seen["slowest"] < STALL, seen
    raw = results.read_bytes()
    outputs = {raw[at : at + SIZE] for at in range(0, len(raw), SIZE)}
    assert len(outputs) == sum(seen["drawn"])
    assert bytes(SIZE) not in outputs
