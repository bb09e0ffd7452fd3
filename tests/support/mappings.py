# SPDX-License-Identifier: MIT
"""The memory that states live in, as /proc/self/smaps tells, and what the kernel may do to it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vgetrandom._probes.libc import libc

if TYPE_CHECKING:
    from collections.abc import Iterator

MADV_DONTNEED = 4
MADV_PAGEOUT = 21


@dataclass(frozen=True)
class Mapping:
    """A mapping of this process: where it is, and the kernel's two-letter flags (proc(5))."""

    start: int
    end: int
    flags: frozenset[str]

    @property
    def droppable(self) -> bool:
        """Whether it is MAP_DROPPABLE memory."""
        return "dp" in self.flags

    def advise(self, advice: int) -> None:
        """Zero it as the kernel may at any time.

        What is not droppable can be zeroed if it is not locked, and by MADV_DONTNEED alone.
        """
        if not self.droppable:
            assert advice == MADV_DONTNEED
            libc.munlock(self.start, self.end - self.start)
        if libc.madvise(self.start, self.end - self.start, advice):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mappings() -> list[Mapping]:
    """Return every mapping of this process."""
    found = []
    start = end = 0
    for line in Path("/proc/self/smaps").read_bytes().decode("latin-1").split("\n"):
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if header:
            start, end = (int(bound, 16) for bound in header.groups())
        elif line.startswith("VmFlags:"):
            found.append(Mapping(start, end, frozenset(line.split()[1:])))
    return found


def states_mappings() -> list[Mapping]:
    """Return the mappings that states live in, this library's and perhaps others'."""
    return [mapping for mapping in mappings() if mapping.droppable or {"wf", "dd"} <= mapping.flags]


def mapping_of(address: int) -> Mapping:
    """Return the mapping that an address lies in."""
    return next(mapping for mapping in mappings() if mapping.start <= address < mapping.end)


@contextlib.contextmanager
def on_one_processor() -> Iterator[None]:
    """Keep the calling thread on one processor, all states zeroed for once.

    A page that was touched on one processor waits there for being managed, and until then resists
    being paged out from another one: it must come to be on this one.
    """
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this Python (PyPy 7.3) cannot keep a thread on one processor")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    for mapping in states_mappings():
        mapping.advise(MADV_DONTNEED)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def skip_unless_supported(advice: int) -> None:
    """Skip where the kernel does not know the advice."""
    for mapping in states_mappings():
        try:
            mapping.advise(advice)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            pytest.skip(f"madvise({advice}) is refused here: {error}")
