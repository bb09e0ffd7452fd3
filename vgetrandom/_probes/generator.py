# SPDX-License-Identifier: MIT
"""Probes of the kernel's own generator, and of memory where droppable memory is missing."""

from __future__ import annotations

import ctypes
import mmap
import re
import struct

from vgetrandom import _proc
from vgetrandom._probes.libc import libc
from vgetrandom._probes.memory import PAGE, advise, fill, ordinary, strerror, wiped_in_child
from vgetrandom._probes.prober import NotHere, probe
from vgetrandom.droppable import MAP_DROPPABLE

AT_SYSINFO_EHDR = 33
SHT_DYNSYM = 11
MADV_WIPEONFORK = 18


def vdso_symbol(*names: str) -> int:
    """Find a function in the vDSO, which is an ELF image in memory.

    Returns:
        Its address; 0 if there is none of these names.
    """
    base = int(libc.getauxval(AT_SYSINFO_EHDR))
    found = re.search(rf"^{base:x}-([0-9a-f]+) ", _proc.text("/proc/self/maps"), re.MULTILINE)
    if not base or not found:
        return 0
    image = ctypes.string_at(base, int(found[1], 16) - base)
    if image[4] != 2:  # ELFCLASS64: droppable memory is for 64 bits
        return 0
    (sections,) = struct.unpack_from("Q", image, 40)
    entry_size, count = struct.unpack_from("HH", image, 58)
    starts = range(sections, sections + count * entry_size, entry_size)
    headers = [struct.unpack_from("IIQQQQIIQQ", image, at) for at in starts]
    for _, kind, _, _, offset, size, link, *_ in headers:
        if kind != SHT_DYNSYM:
            continue
        strings = headers[link][4]
        for at in range(offset, offset + size, 24):
            name, _, _, _, value, _ = struct.unpack_from("IBBHQQ", image, at)
            text = image[strings + name : image.index(b"\0", strings + name)].decode()
            if text in names:
                return base + int(value)
    return 0


@probe("vDSO getrandom", "exists, and asks for readable, writable MAP_DROPPABLE memory")
def vdso_getrandom() -> tuple[bool, str]:
    where = vdso_symbol("__vdso_getrandom", "__kernel_getrandom")
    if not where:
        raise NotHere("no vDSO getrandom was found in this process (it came with Linux 6.11)")
    arguments = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t)
    call = ctypes.CFUNCTYPE(ctypes.c_ssize_t, *arguments)(where)
    # A state size of all ones asks for the parameters: size, prot, flags, and room for more.
    parameters = (ctypes.c_uint32 * 16)()
    result = call(None, 0, 0, parameters, -1)
    if result:
        return False, f"its query answers {result}"
    size, prot, flags = parameters[0:3]
    ok = prot == mmap.PROT_READ | mmap.PROT_WRITE and flags == MAP_DROPPABLE | mmap.MAP_ANONYMOUS
    return ok, f"state of {size} bytes, prot {prot:#x}, flags {flags:#x}"


@probe("generation counter", "the kernel's reseeds can be watched")
def watch() -> tuple[bool, str]:
    import vgetrandom  # only the library itself knows

    vgetrandom.random_bytes(16)
    seen = str(vgetrandom.info().watch)
    if seen == "none":
        raise NotHere("not found: at most one unserved batch per thread outlives a reseed")
    return True, f"watched ({seen})"


@probe("MADV_WIPEONFORK", "works on ordinary memory: where the state lives without MAP_DROPPABLE")
def wipe_on_fork() -> tuple[bool, str]:
    memory = ordinary(8 * PAGE)
    fill(memory)
    try:
        advise(memory, MADV_WIPEONFORK)
    except OSError as error:
        raise NotHere(f"refused: {strerror(error.errno or 0)} (it came with Linux 4.14)") from None
    return wiped_in_child(memory)
