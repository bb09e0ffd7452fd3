# SPDX-License-Identifier: MIT
"""Probes of how the contents are lost: by fork, by advice, and not by being moved."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
from pathlib import Path

from vgetrandom import _proc
from vgetrandom._probes.libc import MAP_FAILED, libc
from vgetrandom._probes.memory import (
    PAGE,
    address,
    advise,
    droppable,
    dropped,
    fill,
    kilobytes,
    ordinary,
    smaps,
    wiped_in_child,
)
from vgetrandom._probes.prober import NotHere, probe
from vgetrandom.droppable import MAP_DROPPABLE

MREMAP_MAYMOVE = 1
MREMAP_FIXED = 2


@probe("fork()", "the child reads zeros, the parent keeps its data")
def fork() -> tuple[bool, str]:
    memory = droppable(8 * PAGE)
    fill(memory)
    return wiped_in_child(memory)


@probe("raw clone()", "the child reads zeros, the parent keeps its data")
def clone() -> tuple[bool, str]:
    number = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "loongarch64": 220}.get(
        os.uname().machine
    )
    if number is None:
        raise NotHere(f"the number of clone() on {os.uname().machine} is not known here")
    # The flags are only a signal number: a plain fork that bypasses libc's fork handlers.
    memory = droppable(8 * PAGE)
    fill(memory)

    def fork() -> int:
        child = libc.syscall(number, signal.SIGCHLD, 0, 0, 0, 0)
        if child < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(child)

    return wiped_in_child(memory, fork)


@probe("MADV_PAGEOUT", "drops dirty pages without swap")
def pageout() -> tuple[bool, str]:
    memory = droppable(256 * PAGE)
    fill(memory)
    swap = max(0, len(_proc.lines("/proc/swaps")) - 1)
    ok, text = dropped(memory)
    return ok, f"{text} ({swap or 'no'} swap area{'s' * (swap > 1)})"


@probe("mremap()", "moved memory keeps its contents")
def remap() -> tuple[bool, str]:
    droppable(PAGE)
    size = 8 * PAGE
    read_write = mmap.PROT_READ | mmap.PROT_WRITE
    # A raw mapping, because an mmap object would later unmap the old address again.
    source = libc.mmap(None, size, read_write, MAP_DROPPABLE | mmap.MAP_ANONYMOUS, -1, 0)
    contents = bytes(at % 251 + 1 for at in range(size))
    ctypes.memmove(source, contents, size)
    target = ordinary(size)
    flags = MREMAP_MAYMOVE | MREMAP_FIXED
    if libc.mremap(source, size, size, flags, address(target)) == MAP_FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    same = target[:] == contents
    ok, text = dropped(target)
    return same and ok, f"contents {'kept' if same else 'lost'} at the new address, then {text}"


@probe("transparent huge page", "drops like small pages")
def huge_page() -> tuple[bool, str]:
    setting = Path("/sys/kernel/mm/transparent_hugepage")
    try:
        size = int((setting / "hpage_pmd_size").read_text())
        enabled = (setting / "enabled").read_text().strip()
    except OSError:
        raise NotHere("this kernel has no transparent huge pages") from None
    memory = droppable(2 * size)
    start = -address(memory) % size
    advise(memory, mmap.MADV_HUGEPAGE, start, size)
    fill(memory)
    got = kilobytes(smaps(memory, start)["AnonHugePages"])
    if not got:
        raise NotHere(f"the kernel gave no huge page (enabled: {enabled})")
    ok, text = dropped(memory)
    return ok, f"AnonHugePages {got} kB, {text}"
