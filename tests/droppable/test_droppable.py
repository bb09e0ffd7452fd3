# SPDX-License-Identifier: MIT
"""Droppable memory: what it accepts, and that no drop goes unnoticed, whenever it happens."""

from __future__ import annotations

import errno
import io
import os
import random
import subprocess
import sys
import threading
import time
from mmap import PAGESIZE
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vgetrandom import droppable
from vgetrandom._probes.libc import libc
from vgetrandom._probes.memory import address, smaps
from vgetrandom.droppable import DroppableCache, DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    DroppableMemory(1)
except OSError as unsupported:
    pytestmark = pytest.mark.skip(reason=str(unsupported))


def drop(memory: DroppableMemory, start: int = 0, length: int | None = None) -> None:
    """Drop pages for real; the kernel may need to be asked more than once."""
    length = len(memory) - start if length is None else length
    deadline = time.monotonic() + 10
    while any(memory[start : start + length]):
        assert time.monotonic() < deadline, "the kernel does not drop these pages"
        memory.madvise(droppable.MADV_PAGEOUT, start, length)


# --- the memory itself ---


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
        assert "dp" in smaps(memory)["VmFlags"].split()


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
def test_refuses_sizes(kind: Callable[[Any], object], size: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        kind(size)


def test_no_room_is_said_as_no_room() -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011
        DroppableMemory(1 << 62)
    assert caught.value.errno == errno.ENOMEM
    assert "6.11" not in str(caught.value)


def test_unsupported_kernel_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    # A mapping type that no kernel has, which is what this one is to an older kernel.
    monkeypatch.setattr(droppable, "MAP_DROPPABLE", 0x0C)
    with pytest.raises(
        OSError, match=r"MAP_DROPPABLE needs Linux 6\.11 or later \(this is Linux "
    ) as caught:
        DroppableMemory(PAGESIZE)
    assert caught.value.errno == errno.EINVAL
    assert os.uname().release in str(caught.value)


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
def test_closed(use: Callable[[DroppableMemory], object]) -> None:
    memory = DroppableMemory(PAGESIZE)
    memory.close()
    memory.close()
    assert memory.closed
    with pytest.raises(ValueError, match="closed"):
        use(memory)


def test_closed_under_an_entry() -> None:
    memory = DroppableMemory(PAGESIZE)
    entry = memory.store(b"x")
    memory.close()
    with pytest.raises(ValueError, match="closed"):
        entry.load()
    with pytest.raises(ValueError, match="closed"):
        entry.intact()


@pytest.mark.parametrize("call", ["flush", "resize", "size"])
def test_has_no_file(call: str) -> None:
    with DroppableMemory(PAGESIZE) as memory, pytest.raises(io.UnsupportedOperation):
        getattr(memory, call)()


# --- entries ---

CONTENTS: dict[str, Callable[[int], bytes]] = {
    "random": random.Random(1).randbytes,
    "zeros": bytes,
    "zeros, then one": lambda size: (bytes(size) + b"\1")[1:],
    "one, then zeros": lambda size: (b"\1" + bytes(size))[:size],
}


@pytest.mark.parametrize("contents", CONTENTS)
@pytest.mark.parametrize("size", [0, 1, 2, PAGESIZE - 1, PAGESIZE, PAGESIZE + 1, 3 * PAGESIZE + 7])
@pytest.mark.parametrize("offset", [0, 1, PAGESIZE - 1, PAGESIZE])
def test_reads_back(contents: str, size: int, offset: int) -> None:
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
def test_refuses_to_store_outside(size: int, offset: int) -> None:
    with DroppableMemory(PAGESIZE) as memory, pytest.raises(ValueError, match="do not lie"):
        memory.store(bytes(size), offset)


def test_notices_a_real_drop() -> None:
    with DroppableMemory(16 * PAGESIZE) as memory:
        entry = memory.store(os.urandom(len(memory)))
        drop(memory)
        assert not entry.intact()
        assert entry.load() is None
        again = memory.store(b"again")
        assert again.load() == b"again"


def test_drop_drops() -> None:
    with DroppableMemory(16 * PAGESIZE) as memory:
        entry = memory.store(b"\1" * len(memory))
        deadline = time.monotonic() + 10
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
def test_loses_only_what_touches_the_page(page: int) -> None:
    with DroppableMemory(4 * PAGESIZE) as memory:
        small = [memory.store(b"%d" % at, at * PAGESIZE) for at in range(4)]
        first = memory.store(b"x" * PAGESIZE, PAGESIZE // 2)  # in pages 0 and 1
        second = memory.store(b"x" * PAGESIZE, 2 * PAGESIZE + PAGESIZE // 2)  # in pages 2 and 3
        # `small` of pages 1 and 3 have just been stored over.
        drop(memory, page * PAGESIZE, PAGESIZE)
        assert [entry.intact() for entry in (small[0], small[2])] == [page != 0, page != 2]
        assert [entry.intact() for entry in (first, second)] == [page > 1, page < 2]


class Dropping(DroppableMemory):
    """Zeroes one page, as the kernel would, just before access number `when`.

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


def test_entries_under_constant_dropping() -> None:
    size = 64 * PAGESIZE  # more than the kernel keeps back in its per-CPU batches
    stop = threading.Event()
    lost = {True: 0, False: 0}
    with DroppableMemory(size) as memory:
        start = address(memory)

        def dropper() -> None:
            # ctypes releases the GIL: the pages go while the other thread is copying.
            while not stop.is_set():
                libc.madvise(start, size, droppable.MADV_PAGEOUT)

        thread = threading.Thread(target=dropper)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while min(lost.values()) < 50 and time.monotonic() < deadline:
                data = os.urandom(size)
                entry = memory.store(data)
                copy = entry.load()
                assert copy in (data, None)
                lost[copy is None] += 1
        finally:
            sys.setswitchinterval(interval)
            stop.set()
            thread.join()
    assert min(lost.values()) >= 50, lost


def in_fork(work: Callable[[], object]) -> bool:
    """Run `work` in a forked child and return whether it returned something true."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return False


def test_a_forked_child_finds_nothing() -> None:
    with DroppableMemory(PAGESIZE) as memory:
        entry = memory.store(b"secret")
        assert in_fork(lambda: entry.load() is None and memory[:6] == bytes(6))
        assert entry.load() == b"secret"


# --- the cache ---


def test_cache_remembers_replaces_and_forgets() -> None:
    with DroppableCache(PAGESIZE) as cache:
        assert cache.get("a") is None
        cache.put("a", b"one")
        cache.put("b", b"")
        assert (cache.get("a"), cache.get("b")) == (b"one", b"")
        cache.put("a", bytearray(b"two"))
        assert cache.get("a") == b"two"
        cache.put("all", b"x" * PAGESIZE)
        assert (cache.get("a"), cache.get("b"), cache.get("all")) == (None, None, b"x" * PAGESIZE)


def test_cache_refuses() -> None:
    cache = DroppableCache(PAGESIZE)
    with pytest.raises(ValueError, match="does not fit"):
        cache.put("a", bytes(PAGESIZE + 1))
    with pytest.raises(TypeError):
        cache.put([], b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.put("a", "text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.put("a", memoryview(b"abcd")[::2])
    assert cache.get("a") is None
    cache.put("a", b"still works")
    assert cache.get("a") == b"still works"
    cache.close()
    with pytest.raises(ValueError, match="closed"):
        cache.get("a")
    with pytest.raises(ValueError, match="closed"):
        cache.put("a", b"x")


@pytest.mark.parametrize("seed", range(8))
def test_cache_against_a_model(seed: int) -> None:
    rng = random.Random(seed)
    size = 3 * PAGESIZE + 5
    largest = (size // 2, size, 100, 7)[seed % 4]
    latest: dict[int, bytes] = {}
    history: list[tuple[int, bytes]] = []
    with DroppableCache(size) as cache:
        for _ in range(3000):
            key, value = rng.randrange(60), rng.randbytes(rng.randrange(largest + 1))
            cache.put(key, value)
            latest[key] = value
            history.append((key, value))
            assert cache.get(key) == value
            other = rng.randrange(60)
            assert cache.get(other) in (latest.get(other), None)
        # What was stored last is still there, up to what may be wasted at the end of the memory.
        used = largest
        for key, value in reversed(history):
            used += max(1, len(value))
            if used > size:
                break
            assert cache.get(key) == latest[key]


def test_cache_index_is_bounded() -> None:
    with DroppableCache(100) as cache:
        for key in range(10_000):
            cache.put(key, b"")
        assert sum(cache.get(key) is not None for key in range(10_000)) <= 100


def test_cache_survives_a_real_drop() -> None:
    with DroppableCache(16 * PAGESIZE) as cache:
        values = {key: os.urandom(1000) for key in range(50)}
        for key, value in values.items():
            cache.put(key, value)
        assert all(cache.get(key) == value for key, value in values.items())
        drop(cache._memory)
        assert all(cache.get(key) is None for key in values)
        for key, value in values.items():
            cache.put(key, value)
        assert all(cache.get(key) == value for key, value in values.items())


def test_cache_in_threads_under_constant_dropping() -> None:
    stop = threading.Event()
    wrong: list[int] = []
    hits = [0] * 4
    with DroppableCache(4 * PAGESIZE) as cache:

        def value_of(key: int) -> bytes:
            return bytes([key % 255 + 1]) * (key * 37 % 3000)

        def user(number: int) -> None:
            rng = random.Random(number)
            while not stop.is_set():
                key = rng.randrange(40)
                value = cache.get(key)
                if value is None:
                    cache.put(key, value_of(key))
                elif value != value_of(key):
                    wrong.append(key)
                else:
                    hits[number] += 1

        threads = [threading.Thread(target=user, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            cache.drop()
            time.sleep(0.002)
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert all(hits)


def test_cache_in_a_forked_child() -> None:
    cache = DroppableCache(PAGESIZE)
    cache.put("a", b"parent")

    def child() -> bool:
        lost = cache.get("a") is None
        cache.put("a", b"child")
        return lost and cache.get("a") == b"child"

    assert in_fork(child)
    assert cache.get("a") == b"parent"


def test_example() -> None:
    example = Path(__file__).parents[2] / "examples" / "cache.py"
    done = subprocess.run(
        [sys.executable, example], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, third, in_place = done.stdout.splitlines()
    assert first == "first round computed 1000"
    assert second.startswith("second round computed ")
    assert int(second.split()[-1]) < 1000
    assert third.startswith("after a drop, third round computed ")
    assert int(third.split()[-1]) > 0
    assert in_place.startswith("used in place: ")
