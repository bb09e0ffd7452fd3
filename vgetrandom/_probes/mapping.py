# SPDX-License-Identifier: MIT
"""Probes of the mapping type: what it combines with, its flags, and that nothing locks it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import re
import resource
import tempfile
from pathlib import Path

from vgetrandom._probes.libc import MAP_FAILED, libc
from vgetrandom._probes.memory import (
    MIB,
    PAGE,
    address,
    advise,
    droppable,
    dropped,
    fill,
    kilobytes,
    ordinary,
    smaps,
    strerror,
)
from vgetrandom._probes.prober import NotHere, probe
from vgetrandom.droppable import MAP_DROPPABLE

# The values of asm-generic, which these machines use; Python has no names for them.
GENERIC = frozenset({"x86_64", "aarch64", "riscv64", "loongarch64", "s390x"})
MAP_GROWSDOWN = 0x100
MAP_LOCKED = 0x2000
MAP_HUGETLB = 0x40000

MADV_DODUMP = 17
MADV_KEEPONFORK = 19
MCL_FUTURE = 2


@probe("mmap(MAP_DROPPABLE)", "accepted with MAP_ANONYMOUS")
def accepted() -> tuple[bool, str]:
    memory = droppable(PAGE)
    memory[0] = 1
    return memory[0] == 1, "accepted, readable and writable"


def refused(flags: int, descriptor: int = -1) -> tuple[bool, str]:
    """Whether mmap refuses droppable memory together with `flags`, as documented."""
    if os.uname().machine not in GENERIC:
        raise NotHere(f"not tried: the flags' values on {os.uname().machine} are not known here")
    droppable(PAGE)
    # Through libc: mmap.mmap adds MAP_ANONYMOUS of its own.
    got = libc.mmap(
        None, 2 * MIB, mmap.PROT_READ | mmap.PROT_WRITE, MAP_DROPPABLE | flags, descriptor, 0
    )
    number = ctypes.get_errno()
    if got != MAP_FAILED:
        return False, "accepted"
    _raise_if_limited(number)
    return number == errno.EINVAL, strerror(number)


def _raise_if_limited(number: int, *more: int) -> None:
    """Raise if RLIMIT_MEMLOCK or a sandbox refused, which says nothing about the memory."""
    if number in (errno.EPERM, errno.EAGAIN, *more):
        raise NotHere(f"not tried: {strerror(number)}, from RLIMIT_MEMLOCK or a sandbox")


def _enter_refused(name: str, flags: int) -> None:
    probe(f"MAP_DROPPABLE|{name}", "EINVAL")(lambda: refused(flags | mmap.MAP_ANONYMOUS))


_enter_refused("MAP_PRIVATE", mmap.MAP_PRIVATE)
_enter_refused("MAP_SHARED", mmap.MAP_SHARED)
_enter_refused("MAP_LOCKED", MAP_LOCKED)
_enter_refused("MAP_HUGETLB", MAP_HUGETLB)
_enter_refused("MAP_GROWSDOWN", MAP_GROWSDOWN)


@probe("MAP_DROPPABLE and a file", "EINVAL")
def refused_file() -> tuple[bool, str]:
    with tempfile.TemporaryFile() as file:
        file.truncate(2 * MIB)
        return refused(0, file.fileno())


def advice_refused(advice: int) -> tuple[bool, str]:
    """Whether madvise refuses `advice`, as documented."""
    memory = droppable(PAGE)
    try:
        advise(memory, advice)
    except OSError as error:
        number = error.errno or 0
        _raise_if_limited(number)
        return number == errno.EINVAL, strerror(number)
    return False, "accepted"


@probe("MADV_KEEPONFORK", "EINVAL")
def keep_on_fork() -> tuple[bool, str]:
    return advice_refused(MADV_KEEPONFORK)


@probe("MADV_DODUMP", "EINVAL")
def do_dump() -> tuple[bool, str]:
    return advice_refused(MADV_DODUMP)


@probe("VmFlags", "wf, dd, dp, nr: wiped on fork, not dumped, droppable, no reservation")
def vm_flags() -> tuple[bool, str]:
    flags = smaps(droppable(PAGE))["VmFlags"].split()
    return {"wf", "dd", "dp", "nr"} <= set(flags), " ".join(flags)


@probe("mlock()", "succeeds and locks nothing")
def lock() -> tuple[bool, str]:
    memory = droppable(8 * PAGE)
    fill(memory)
    if libc.mlock(address(memory), len(memory)):
        number = ctypes.get_errno()
        _raise_if_limited(number, errno.ENOMEM)
        return False, strerror(number)
    locked = kilobytes(smaps(memory)["Locked"])
    ok, text = dropped(memory)
    return ok and not locked, f"succeeds, Locked {locked} kB, {text}"


@probe("mlockall(MCL_FUTURE)", "does not pin it")
def lock_all() -> tuple[bool, str]:
    droppable(PAGE)
    # Later mappings of this child are locked too, so the limit has to allow for them.
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    if libc.mlockall(MCL_FUTURE):
        raise NotHere(f"not tried: mlockall() is refused here, {strerror(ctypes.get_errno())}")
    try:
        control, memory = ordinary(8 * PAGE), droppable(8 * PAGE)
    except OSError as error:
        reason = f"not tried: RLIMIT_MEMLOCK is too low, {strerror(error.errno or 0)}"
        raise NotHere(reason) from None
    if "lo" not in smaps(control)["VmFlags"].split():
        return False, "mlockall() did not even lock ordinary memory"
    fill(memory)
    fields = smaps(memory)
    if "lo" in fields["VmFlags"].split():
        seen = "as seen on Linux 6.18.15 and 6.19.14, not on 6.12.117 and 7.2.13"
        return False, f"marked locked, Locked {fields['Locked']} ({seen})"
    ok, text = dropped(memory)
    return ok, f"not marked locked, Locked {fields['Locked']}, {text}"


@probe("strict overcommit", "nothing is charged")
def overcommit() -> tuple[bool, str]:
    def committed() -> int:
        return kilobytes(re.findall(r"Committed_AS:(.*)", Path("/proc/meminfo").read_text())[0])

    size = 1024 * MIB
    # The mode is not changed: the kernel decides by the same flag (ac) in every mode.
    before = committed()
    memory = droppable(size)
    charged = committed() - before
    accounted = "ac" in smaps(memory)["VmFlags"].split()
    before = committed()
    try:
        control = ordinary(size)
        usual = f"ordinary memory {committed() - before >> 10} MiB"
        control.close()
    except OSError:
        usual = "ordinary memory refused"
    mode = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
    text = f"Committed_AS grew by {charged >> 10} MiB of {size >> 20} ({usual}; mode {mode}), "
    # Other processes move Committed_AS too.
    ok = not accounted and charged < size // 1024 // 4
    return ok, text + ("ac in VmFlags" if accounted else "no ac in VmFlags")
