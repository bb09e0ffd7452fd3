# SPDX-License-Identifier: MIT
"""The first draw of a generator that has no state yet, or has just lost it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns

from vgetrandom import _child, _fork, _proc

from .peers import NEW_BYTES, AbsentError, Call
from .timing import Draw, Sampler


def _once(call: Call) -> float:
    function, arguments = call
    start = perf_counter_ns()
    function(*arguments)
    return perf_counter_ns() - start


def send_first_draw(send: Callable[[object], None], name: str, size: int) -> None:
    """Time the first draw of this process, for `in_fresh_process`."""
    peer = next(peer for peer in NEW_BYTES if peer.name == name)
    send(_once(peer.bind(size)))


def in_fresh_process(draw: Draw, _seconds: float) -> Sampler:
    """In a new interpreter, after its imports."""
    try:
        _child.interpreter()
    except _child.NoChildError as reason:
        raise AbsentError(str(reason)) from None

    def sample() -> dict[str, float]:
        with _child.start_interpreter(send_first_draw, draw.peer.name, draw.size) as child:
            for took in child.results():
                return {"": float(took)}
            raise RuntimeError(f"a fresh process ended early: {child.ending()}")

    return sample


def in_fresh_thread(draw: Draw, _seconds: float) -> Sampler:
    """In a new thread, without the time to start it."""

    def sample() -> dict[str, float]:
        times: list[float] = []
        thread = threading.Thread(target=lambda: times.append(_once(draw.call)))
        thread.start()
        thread.join()
        return {"": times[0]}

    return sample


def _write(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode())


def after_fork(draw: Draw, _seconds: float) -> Sampler:
    """In a forked child whose parent has drawn."""

    def sample() -> dict[str, float]:
        _once(draw.call)
        reader, writer = os.pipe()
        try:
            pid = _fork.fork(lambda: _write(writer, str(_once(draw.call))))
        finally:
            os.close(writer)
        with os.fdopen(reader) as answer:
            took = answer.read()
        os.waitpid(pid, 0)
        return {"": float(took)}

    return sample


def _droppable() -> Iterator[tuple[int, int]]:
    """The (start, length) of this process's droppable mappings."""
    mapping = r"^(\w+)-(\w+) .*(?:\n[A-Z].*)*?\nVmFlags:.* dp\b"
    for found in re.finditer(mapping, _proc.text("/proc/self/smaps"), re.MULTILINE):
        start, end = (int(address, 16) for address in found.groups())
        yield start, end - start


def after_drop(draw: Draw, _seconds: float) -> Sampler:
    """After every droppable page was dropped, as the kernel may do when memory is short."""
    dont_need = 4
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def sample() -> dict[str, float]:
        _once(draw.call)
        for start, length in _droppable():
            madvise(start, length, dont_need)
        return {"": _once(draw.call)}

    _once(draw.call)
    if not any(_droppable()):
        raise AbsentError("no droppable memory on this kernel")
    return sample


def after_kernel_reseed(draw: Draw, _seconds: float) -> Sampler:
    """After a kernel reseed, as happens once a minute; requesting one needs privileges."""
    rnd_reseed_crng = 0x5207

    def reseed() -> None:
        with Path("/dev/urandom").open("rb") as device:
            fcntl.ioctl(device, rnd_reseed_crng)

    def sample() -> dict[str, float]:
        _once(draw.call)
        reseed()
        return {"": _once(draw.call)}

    try:
        reseed()
    except OSError as error:
        raise AbsentError(f"RNDRESEEDCRNG: {error.strerror}") from None
    return sample
