# SPDX-License-Identifier: MIT
"""Entries in droppable memory: read back whole, or lost; no drop goes unnoticed."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from mmap import PAGESIZE
from typing import TYPE_CHECKING, Any

import pytest

from support.drops import PATIENCE, drop, needs_droppable_memory
from support.running import meanwhile
from vgetrandom._probes.libc import libc
from vgetrandom._probes.memory import address
from vgetrandom.droppable import MADV_PAGEOUT, DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = needs_droppable_memory

CONTENTS: dict[str, Callable[[int], bytes]] = {
    "random": random.Random(1).randbytes,
    "zeros": bytes,
    "zeros, then one": lambda size: (bytes(size) + b"\1")[1:],
    "one, then zeros": lambda size: (b"\1" + bytes(size))[:size],
}


@pytest.mark.parametrize("contents", CONTENTS)
@pytest.mark.parametrize("size", [0, 1, 2, PAGESIZE - 1, PAGESIZE, PAGESIZE + 1, 3 * PAGESIZE + 7])
@pytest.mark.parametrize("offset", [0, 1, PAGESIZE - 1, PAGESIZE])
def test_what_is_stored_is_read_back_and_nothing_beside_it_is_touched(
    contents: str, size: int, offset: int
) -> None:
    data = CONTENTS[contents](size)
    with DroppableMemory(5 * PAGESIZE) as memory:
        memory[:] = b"\xff" * len(memory)
        entry = memory.store(data, offset)
        assert len(entry) == size
        assert entry.intact()
        assert entry.load() == data
        assert memory[offset - 1 : offset] in (b"", b"\xff")
        assert memory[offset + size] == 0xFF


def test_stores_any_contiguous_buffer() -> None:
    with DroppableMemory(PAGESIZE) as memory:
        numbers = memoryview(bytearray(16)).cast("I")
        numbers[3] = 1
        assert memory.store(numbers).load() == bytes(numbers)
        with pytest.raises(TypeError):
            memory.store(memoryview(b"abcd")[::2])
        with pytest.raises(TypeError):
            memory.store("text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "offset"), [(1, -1), (1, PAGESIZE), (PAGESIZE + 1, 0), (2, PAGESIZE - 1)]
)
def test_refuses_to_store_outside_the_memory(size: int, offset: int) -> None:
    with DroppableMemory(PAGESIZE) as memory, pytest.raises(ValueError, match="do not lie"):
        memory.store(bytes(size), offset)


def test_a_real_drop_is_noticed_and_the_memory_can_be_used_again() -> None:
    with DroppableMemory(16 * PAGESIZE) as memory:
        entry = memory.store(os.urandom(len(memory)))
        drop(memory)
        assert not entry.intact()
        assert entry.load() is None
        again = memory.store(b"again")
        assert again.load() == b"again"


def test_drop_has_the_kernel_drop_all_pages() -> None:
    with DroppableMemory(16 * PAGESIZE) as memory:
        entry = memory.store(b"\1" * len(memory))
        deadline = time.monotonic() + PATIENCE
        while any(memory[:]):
            assert time.monotonic() < deadline
            memory.drop()
        assert not entry.intact()


def test_zeros_survive_a_drop() -> None:
    with DroppableMemory(2 * PAGESIZE) as memory:
        memory[:] = b"\xff" * len(memory)
        entry = memory.store(bytes(len(memory)))
        drop(memory)
        assert entry.load() == bytes(len(memory))


@pytest.mark.parametrize("page", range(4))
def test_a_dropped_page_takes_only_the_entries_that_lie_in_it(page: int) -> None:
    with DroppableMemory(4 * PAGESIZE) as memory:
        small = [memory.store(b"%d" % at, at * PAGESIZE) for at in range(4)]
        first = memory.store(b"x" * PAGESIZE, PAGESIZE // 2)  # in pages 0 and 1
        second = memory.store(b"x" * PAGESIZE, 2 * PAGESIZE + PAGESIZE // 2)  # in pages 2 and 3
        # `small` of pages 1 and 3 have just been stored over.
        drop(memory, page * PAGESIZE, PAGESIZE)
        assert [entry.intact() for entry in (small[0], small[2])] == [page != 0, page != 2]
        assert [entry.intact() for entry in (first, second)] == [page > 1, page < 2]


class Dropping(DroppableMemory):
    """Memory of which one page is zeroed, as the kernel may, just before access number `when`.

    A slice counts as two accesses, its second half first: copying has no order to rely on.
    """

    page = 0
    when = -1

    def _tick(self) -> None:
        if self.when == 0:
            start = self.page * PAGESIZE
            super().__setitem__(slice(start, start + PAGESIZE), bytes(PAGESIZE))
        self.when -= 1

    def __setitem__(self, where: Any, what: Any) -> None:
        self._tick()
        if isinstance(where, slice):
            middle = (where.start + where.stop) // 2
            super().__setitem__(slice(middle, where.stop), what[middle - where.start :])
            self._tick()
            where, what = slice(where.start, middle), what[: middle - where.start]
        super().__setitem__(where, what)

    def __getitem__(self, where: Any) -> Any:
        self._tick()
        if isinstance(where, slice):
            middle = (where.start + where.stop) // 2
            end = super().__getitem__(slice(middle, where.stop))
            self._tick()
            return super().__getitem__(slice(where.start, middle)) + end
        return super().__getitem__(where)


@pytest.mark.parametrize("contents", CONTENTS)
@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize("when", range(20))
def test_a_drop_at_any_step_is_noticed(contents: str, page: int, when: int) -> None:
    data = CONTENTS[contents](PAGESIZE)
    with Dropping(2 * PAGESIZE) as memory:
        memory[0 : len(memory)] = b"\xff" * len(memory)
        memory.page, memory.when = page, when
        entry = memory.store(data, PAGESIZE // 2)
        stored = memory.when
        assert entry.load() in (data, None)
        assert entry.load() in (data, None)
        dropped_since = stored >= 0 > memory.when
        half = data[: PAGESIZE // 2] if page == 0 else data[PAGESIZE // 2 :]
        if dropped_since and any(half):
            assert entry.load() is None


ENOUGH = 20  # of either kind


@contextlib.contextmanager
def switching_often() -> Iterator[None]:
    """Have the interpreter give each thread its turn sooner."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def test_under_constant_dropping_an_entry_is_whole_or_lost() -> None:
    size = 64 * PAGESIZE  # more than the kernel keeps back in its per-CPU batches
    lost = {True: 0, False: 0}
    with DroppableMemory(size) as memory, switching_often():
        start = address(memory)

        def drop_all() -> None:
            # ctypes releases the GIL: the pages go while the other thread is copying. Not without
            # a pause, or hardly an entry lasts until it is loaded (PyPy).
            libc.madvise(start, size, MADV_PAGEOUT)
            time.sleep(random.uniform(0, 0.01))

        with meanwhile(drop_all):
            deadline = time.monotonic() + 2 * PATIENCE
            while min(lost.values()) < ENOUGH and time.monotonic() < deadline:
                data = os.urandom(size)
                entry = memory.store(data)
                copy = entry.load()
                assert copy in (data, None)
                lost[copy is None] += 1
    assert min(lost.values()) >= ENOUGH, lost
