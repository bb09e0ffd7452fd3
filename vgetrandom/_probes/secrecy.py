# SPDX-License-Identifier: MIT
"""Probes that it is never written anywhere: not to swap, not to a core dump."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import struct
import time
from typing import TYPE_CHECKING

from vgetrandom import _fork, _proc
from vgetrandom._probes import undoing
from vgetrandom._probes.libc import libc
from vgetrandom._probes.memory import (
    MIB,
    PAGE,
    advise,
    droppable,
    kilobytes,
    ordinary,
    smaps,
    strerror,
)
from vgetrandom._probes.prober import NotHere, probe
from vgetrandom.droppable import MADV_PAGEOUT

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator
    from pathlib import Path

# Whether a probe may make a change to the whole machine for a moment; set by the command line.
thorough = False

# Whether this process is a forked copy of the caller, whose memory must not reach a disk.
copy = False


def secret_into(memory: mmap.mmap, at: int, seed: bytes) -> None:
    """Write a pattern that exists nowhere else in this process: each byte of the seed, inverted."""
    for index, byte in enumerate(seed):
        memory[at + index] = byte ^ 0xFF


def inverted(seed: bytes) -> bytes:
    """Return what `secret_into` wrote."""
    return bytes(byte ^ 0xFF for byte in seed)


@contextlib.contextmanager
def swap_file() -> Iterator[Path | None]:
    """Provide swap: the machine's own (None), or a file of ours for a moment."""
    if len(_proc.lines("/proc/swaps")) > 1:
        yield None
        return
    if not thorough or os.geteuid():
        raise NotHere("not tried: no swap here, and to make some takes root and --thorough")
    pages = 32 * MIB // PAGE
    header = bytearray(PAGE)
    struct.pack_into("=II", header, 1024, 1, pages - 1)  # version, last page
    header[-10:] = b"SWAPSPACE2"
    # Not in /tmp, which is often a tmpfs and cannot hold swap.
    disk = "/var/tmp"  # noqa: S108  # a directory of our own is made there
    with undoing.directory(disk, lambda path: _swap_off(path / "swap")) as directory:
        path = directory / "swap"
        path.touch(0o600)
        with path.open("wb") as file:
            file.write(header)
            for _ in range(pages - 1):
                file.write(bytes(PAGE))  # swap must not have holes
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if libc.swapon(os.fsencode(path), 0):
            raise NotHere(f"swapon() is refused here: {strerror(ctypes.get_errno())}")
        yield path


def _swap_off(path: Path) -> None:
    """Turn swap off, without which the kernel does not let the file be removed."""
    for _ in range(100):
        # EINVAL or ENOENT: it is not on. Otherwise there is no memory for what is in it.
        if libc.swapoff(os.fsencode(path)) == 0 or ctypes.get_errno() != errno.ENOMEM:
            return
        time.sleep(0.1)


@probe("swap", "never written to it, while ordinary memory is")
def swap() -> tuple[bool, str]:
    droppable(PAGE)
    with swap_file() as path:
        size = 4 * MIB
        memory, control = droppable(size), ordinary(size)
        seeds = os.urandom(32), os.urandom(32)
        for area, seed in zip((memory, control), seeds, strict=True):
            for at in range(0, size, PAGE):
                secret_into(area, at, seed)
        pages = size // PAGE
        for _ in range(20):
            advise(control, MADV_PAGEOUT)
            advise(memory, MADV_PAGEOUT)
            time.sleep(0.01)
        swapped = [kilobytes(smaps(area)["Swap"]) for area in (memory, control)]
        text = f"Swap {swapped[0]} kB, ordinary memory {swapped[1]} of {size >> 10} kB"
        if not swapped[1]:
            raise NotHere("the kernel did not swap ordinary memory either")
        ok = swapped[0] == 0
        if path is not None:
            raw = path.read_bytes()
            found = [raw.count(inverted(seed)) for seed in seeds]
            text += f"; pages in the swap file: {found[0]}, ordinary {found[1]} of {pages}"
            ok = ok and not found[0]
        return ok, text


@probe("core dump", "absent, while ordinary memory is in it")
def core_dump() -> tuple[bool, str]:
    droppable(PAGE)
    if copy:
        raise NotHere("not tried: the dump would hold a copy of this program's memory")
    pattern = _proc.text("/proc/sys/kernel/core_pattern").strip()
    if not pattern or pattern[0] in "|/@" or "/" in pattern:
        raise NotHere(f"not tried: core_pattern {pattern!r} does not name a plain file")
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        raise NotHere(f"not tried: core dumps are limited to {hard} bytes")
    seeds = os.urandom(32), os.urandom(32)
    with undoing.directory() as directory:

        def abort() -> None:
            os.chdir(directory)
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            memory, control = droppable(PAGE), ordinary(PAGE)
            secret_into(memory, 0, seeds[0])
            secret_into(control, 0, seeds[1])
            signal.signal(signal.SIGABRT, signal.SIG_DFL)  # faulthandler must not print
            os.abort()

        _, status = os.waitpid(_fork.fork(abort), 0)
        dumps = list(directory.iterdir())
        if not os.WCOREDUMP(status) or not dumps:
            raise NotHere("the kernel wrote no core dump")
        raw = dumps[0].read_bytes()
    found = [inverted(seed) in raw for seed in seeds]
    if not found[1]:
        raise NotHere("ordinary memory is not in the core dump either")
    presence = "in it too" if found[0] else "not in it"
    text = f"{len(raw) >> 10} KiB written: ordinary memory is in it, droppable is {presence}"
    return not found[0], text
