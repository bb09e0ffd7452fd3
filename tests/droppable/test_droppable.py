# SPDX-License-Identifier: MIT
"""DroppableMemory: a buffer of zeros that the kernel may drop, its sizes and its errors."""

from __future__ import annotations

import errno
import io
import os
import sys
from mmap import PAGESIZE
from typing import TYPE_CHECKING, Any

import pytest

from support.conditions import own_process
from support.drops import needs_droppable_memory
from support.mappings import mapping_of
from support.running import in_child
from support.seccomp import refuse
from vgetrandom import droppable
from vgetrandom._probes.memory import address
from vgetrandom.droppable import DroppableCache, DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = needs_droppable_memory


@pytest.mark.parametrize("size", [1, PAGESIZE - 1, PAGESIZE, 5000, 1 << 20])
def test_is_a_zeroed_buffer_of_exactly_that_size(size: int) -> None:
    with DroppableMemory(size) as memory:
        assert len(memory) == size
        assert bytes(memory) == bytes(size)
        memory[size - 1] = 7
        with memoryview(memory) as view:
            assert view[-1] == 7
            assert view.nbytes == size


def test_is_mapped_as_droppable() -> None:
    with DroppableMemory(PAGESIZE) as memory:
        assert mapping_of(address(memory)).droppable


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (-(1 << 64), ValueError),
        (1 << 63, OverflowError),
        (1 << 64, OverflowError),
        (1.5, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
@pytest.mark.parametrize("kind", [DroppableMemory, DroppableCache])
def test_refuses_what_is_no_size(
    kind: Callable[[Any], object], size: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        kind(size)


def test_the_error_of_a_lack_of_memory_does_not_blame_the_kernel() -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        DroppableMemory(1 << 62)
    assert caught.value.errno == errno.ENOMEM
    assert "6.11" not in str(caught.value)


def test_the_error_of_a_kernel_without_it_says_what_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A type of mapping that no kernel has, as this one is none to an older kernel.
    monkeypatch.setattr(droppable, "MAP_DROPPABLE", 0x0C)
    with pytest.raises(
        OSError, match=r"MAP_DROPPABLE needs Linux 6\.11 or later \(this is Linux "
    ) as caught:
        DroppableMemory(PAGESIZE)
    assert caught.value.errno == errno.EINVAL
    assert os.uname().release in str(caught.value)


@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="PyPy's mmap does not count exported buffers"
)
def test_stays_mapped_under_an_exported_buffer() -> None:
    memory = DroppableMemory(PAGESIZE)
    memory[0] = 5
    view = memoryview(memory)
    with pytest.raises(BufferError):
        memory.close()
    with pytest.raises(BufferError), memory:
        pass
    assert view[0] == 5
    del memory
    view[1] = 6
    assert bytes(view[:2]) == b"\5\6"


@pytest.mark.parametrize(
    "use",
    [
        lambda memory: memory[0],
        lambda memory: memory[:],
        len,
        memoryview,
        lambda memory: memory.store(b"x"),
        lambda memory: memory.drop(),
        lambda memory: memory.__enter__(),
    ],
)
def test_no_use_after_it_was_closed(use: Callable[[DroppableMemory], object]) -> None:
    memory = DroppableMemory(PAGESIZE)
    memory.close()
    memory.close()
    assert memory.closed
    with pytest.raises(ValueError, match="closed"):
        use(memory)


@own_process
def test_a_refused_drop_is_an_error_of_the_system() -> None:
    with DroppableMemory(PAGESIZE) as memory:
        refuse("madvise", errno.EINVAL, 2, 0xFFFFFFFF, droppable.MADV_PAGEOUT)
        with pytest.raises(OSError):  # noqa: PT011
            memory.drop()
        # The error is that of the advice, not of the memory.
        memory[0] = 5
        assert memory[0] == 5


def test_no_use_of_an_entry_after_its_memory_was_closed() -> None:
    memory = DroppableMemory(PAGESIZE)
    entry = memory.store(b"x")
    memory.close()
    with pytest.raises(ValueError, match="closed"):
        entry.load()
    with pytest.raises(ValueError, match="closed"):
        entry.intact()


@pytest.mark.parametrize("call", ["flush", "resize", "size"])
def test_what_needs_a_file_is_not_supported(call: str) -> None:
    with DroppableMemory(PAGESIZE) as memory, pytest.raises(io.UnsupportedOperation):
        getattr(memory, call)()


def test_a_forked_child_finds_zeros() -> None:
    with DroppableMemory(PAGESIZE) as memory:
        entry = memory.store(b"secret")
        assert in_child(lambda: memory[:6]) == bytes(6)
        assert in_child(lambda: str(entry.load()).encode()) == b"None"
        assert entry.load() == b"secret"
