# SPDX-License-Identifier: MIT
"""What must hold of the installed package in a guest, whose process 1 runs this file.

A line of the serial console that begins with @ is a result, as in guest.h.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable

import vgetrandom
from vgetrandom import patch, secrets
from vgetrandom.bench.machine import libc
from vgetrandom.droppable import DroppableCache

RNDRESEEDCRNG = 0x5207
DRAWS = 2000


def different(values: Iterable[object]) -> None:
    values = list(values)
    assert len(set(values)) == len(values), "two draws are the same"


def command(*arguments: str) -> str:
    """Run the package as a command, and return what it printed."""
    words = [sys.executable, "-P", "-m", "vgetrandom", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def draws() -> None:
    for size in (0, 1, 16, 127, 3040, 3041, 100_000):
        assert len(vgetrandom.random_bytes(size)) == size
    different(vgetrandom.random_bytes(16) for _ in range(DRAWS))
    buffer = bytearray(1 << 20)
    vgetrandom.random_bytes_into(buffer)
    different(bytes(buffer[at : at + 16]) for at in range(0, len(buffer), 16))


def info() -> None:
    told = json.loads(command("info", "--json"))
    here = vgetrandom.info()
    for name in ("chacha20", "memory", "kernel_entropy", "watch", "clones"):
        assert told[name] == getattr(here, name), (name, told)


def doctor() -> None:
    assert "expected" in command("doctor")


def forks() -> None:
    for _ in range(10):
        vgetrandom.random_bytes(100)
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.write(writing, b"".join(vgetrandom.random_bytes(16) for _ in range(64)))
            os._exit(0)
        drawn = [vgetrandom.random_bytes(16) for _ in range(64)]
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        theirs = os.read(reading, 2048)
        os.close(reading)
        os.close(writing)
        different([*drawn, *(theirs[at : at + 16] for at in range(0, 1024, 16))])


def threads() -> None:
    drawn: list[bytes] = []

    def draw() -> None:
        drawn.extend([vgetrandom.random_bytes(16) for _ in range(DRAWS)])

    running = [threading.Thread(target=draw) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(drawn) == 8 * DRAWS
    different(drawn)


def drop_ins() -> None:
    random = vgetrandom.SystemRandom()
    assert 0 <= random.random() < 1
    assert sorted(random.sample(range(100), 100)) == list(range(100))
    different(secrets.token_urlsafe() for _ in range(DRAWS))
    different(vgetrandom.uuid4() for _ in range(DRAWS))
    made = [vgetrandom.uuid7() for _ in range(DRAWS)]
    assert made == sorted(made)
    assert {each.version for each in made} == {7}
    assert len(vgetrandom.reader().read(1000)) == 1000


def patched() -> None:
    with patch.installed():
        before = vgetrandom.stats().refills
        different([os.urandom(16) for _ in range(DRAWS)])
        different([uuid.uuid4() for _ in range(DRAWS)])
        assert vgetrandom.stats().refills > before


def droppable() -> None:
    if vgetrandom.info().memory != "droppable":
        try:
            DroppableCache(1 << 16)
        except OSError:
            return
        raise AssertionError("droppable memory where the kernel has none")
    with DroppableCache(1 << 16) as cache:
        cache.put("key", b"value")
        assert cache.get("key") in (b"value", None)
        cache.drop()
        assert cache.get("key") is None


def reseeds() -> None:
    watched = vgetrandom.info().watch == "vdso-generation"
    with open("/dev/random", "rb", buffering=0) as device:
        for _ in range(10):
            vgetrandom.random_bytes(16)
            before = vgetrandom.stats().reseeds["generation"]
            fcntl.ioctl(device, RNDRESEEDCRNG)
            vgetrandom.random_bytes(16)
            assert vgetrandom.stats().reseeds["generation"] == before + watched
    before = vgetrandom.stats().reseeds["requested"]
    vgetrandom.reseed(b"of this instance")
    vgetrandom.random_bytes(16)
    assert vgetrandom.stats().reseeds["requested"] == before + 1


CHECKS = (draws, info, doctor, forks, threads, drop_ins, patched, droppable, reseeds)


def run(check: Callable[[], None]) -> None:
    try:
        check()
    except Exception:  # noqa: BLE001 - whatever it is, the others are still tried
        traceback.print_exc(file=sys.stdout)
        print(f"@failed=package: {check.__name__}", flush=True)
    else:
        print(f"@passed=package: {check.__name__}", flush=True)


def main() -> None:
    name = f"{platform.python_implementation()} {platform.python_version()}"
    here = vgetrandom.info()
    print(f"@interpreter={name}\n@libc={libc()}")
    print(f"@chacha20={here.chacha20}\n@memory={here.memory}\n@entropy={here.kernel_entropy}")
    print(f"@watch={here.watch}\n@clones={here.clones}", flush=True)
    for check in CHECKS:
        run(check)


if __name__ == "__main__":
    main()
