# SPDX-License-Identifier: MIT
"""Helpers of the probes: map memory of both kinds, drop it, and count what is left."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import signal
import time
from typing import TYPE_CHECKING

from vgetrandom import _fork, _proc
from vgetrandom._probes.libc import libc
from vgetrandom._probes.prober import NotHere
from vgetrandom.droppable import MADV_PAGEOUT, DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = mmap.PAGESIZE
MIB = 1 << 20


def droppable(size: int) -> DroppableMemory:
    """Map droppable memory, or raise NotHere if this kernel has none."""
    try:
        return DroppableMemory(size)
    except OSError as error:
        raise NotHere(error.strerror) from None


def ordinary(size: int) -> mmap.mmap:
    """Map private anonymous memory."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def address(memory: mmap.mmap) -> int:
    """Where a mapping begins."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def advise(memory: mmap.mmap, advice: int, start: int = 0, size: int | None = None) -> None:
    """Call madvise(2), for the whole mapping unless a part is given.

    Not memory.madvise(): PyPy's raises a SystemError without the errno.

    Raises:
        OSError: it is refused.
    """
    size = len(memory) - start if size is None else size
    if libc.madvise(address(memory) + start, size, advice):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fill(memory: mmap.mmap, byte: int = 0xA5) -> None:
    """Make every page dirty and non-zero."""
    for at in range(0, len(memory), PAGE):
        memory[at] = byte


def kept(memory: mmap.mmap) -> int:
    """How many pages still hold what `fill` wrote."""
    return sum(memory[at] != 0 for at in range(0, len(memory), PAGE))


def page_out(memory: mmap.mmap) -> int:
    """Make the kernel drop the pages, and count those that stayed.

    A page stays while the kernel holds another reference to it, so the call is repeated.
    """
    for _ in range(50):
        advise(memory, MADV_PAGEOUT)
        if not kept(memory):
            return 0
        time.sleep(0.01)
    return kept(memory)


def dropped(memory: mmap.mmap) -> tuple[bool, str]:
    """Drop the pages; return whether all went, and how many did."""
    pages = len(memory) // PAGE
    left = page_out(memory)
    return not left, f"{pages - left} of {pages} pages dropped"


def smaps(memory: mmap.mmap, offset: int = 0) -> dict[str, str]:
    """The fields of the mapping in /proc/self/smaps; sizes end in kB."""
    wanted = address(memory) + offset
    fields: dict[str, str] = {}
    inside = False
    for line in _proc.lines("/proc/self/smaps"):
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= wanted < int(found[2], 16)
        elif inside:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def kilobytes(text: str) -> int:
    """The number in a size such as '12 kB'."""
    return int(text.removesuffix("kB"))


def strerror(number: int) -> str:
    """The name of an errno, such as EINVAL."""
    return errno.errorcode.get(number, f"error {number}")


def in_child(work: Callable[[], str], fork: Callable[[], int] = os.fork) -> str:
    """Run `work` in a forked child and return its text; '' if it died."""
    readable, writable = os.pipe()

    def answer() -> None:
        try:
            text = work()
        except (OSError, NotHere) as error:
            text = f"!{error}"
        os.write(writable, text.encode(errors="backslashreplace"))

    with _fork.held_signals() as release:
        try:
            pid = _fork.fork(answer, fork)
        finally:
            os.close(writable)
        try:
            release()
            with open(readable) as answers:
                text = answers.read()
        finally:
            os.kill(pid, signal.SIGKILL)  # it has answered, or this probe is being stopped
            os.waitpid(pid, 0)
    if text.startswith("!"):
        raise NotHere(f"not tried: {text[1:]}")
    return text


def wiped_in_child(memory: mmap.mmap, fork: Callable[[], int] = os.fork) -> tuple[bool, str]:
    """Whether a child reads zeros from filled memory while its parent keeps the data."""
    pages = len(memory) // PAGE
    seen = in_child(lambda: str(kept(memory)), fork)
    mine = kept(memory)
    text = f"child reads data in {seen or '?'} of {pages} pages, parent in {mine}"
    return seen == "0" and mine == pages, text
