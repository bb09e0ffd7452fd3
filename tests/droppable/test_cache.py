# SPDX-License-Identifier: MIT
"""DroppableCache: what a key has is its latest value or nothing, whatever is dropped and when."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from mmap import PAGESIZE
from pathlib import Path

import pytest

from support.drops import drop, needs_droppable_memory
from support.running import in_child, meanwhile
from vgetrandom.droppable import DroppableCache

pytestmark = needs_droppable_memory


def test_remembers_replaces_and_forgets() -> None:
    with DroppableCache(PAGESIZE) as cache:
        assert cache.get("a") is None
        cache.put("a", b"one")
        cache.put("b", b"")
        assert (cache.get("a"), cache.get("b")) == (b"one", b"")
        cache.put("a", bytearray(b"two"))
        assert cache.get("a") == b"two"
        cache.put("all", b"x" * PAGESIZE)
        assert (cache.get("a"), cache.get("b"), cache.get("all")) == (None, None, b"x" * PAGESIZE)


def test_what_is_refused_leaves_it_as_it_was() -> None:
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
def test_each_key_has_its_latest_value_or_none_and_the_last_ones_are_there(seed: int) -> None:
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


def test_the_index_is_bounded_by_the_memory() -> None:
    with DroppableCache(100) as cache:
        for key in range(10_000):
            cache.put(key, b"")
        assert sum(cache.get(key) is not None for key in range(10_000)) <= 100


def test_after_a_real_drop_all_is_lost_and_can_be_stored_again() -> None:
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


def test_threads_under_constant_dropping_never_get_another_key_s_value() -> None:
    hits: Counter[int] = Counter()
    with DroppableCache(4 * PAGESIZE) as cache:

        def value_of(key: int) -> bytes:
            return bytes([key % 255 + 1]) * (key * 37 % 3000)

        def use() -> None:
            key = random.randrange(40)
            value = cache.get(key)
            if value is None:
                cache.put(key, value_of(key))
            else:
                assert value == value_of(key)
                hits[threading.get_ident()] += 1

        with meanwhile(use, count=4):
            begun = time.monotonic()
            # Longer where a thread has had no luck yet, on a busy machine.
            while time.monotonic() < begun + (1 if len(hits) == 4 else 20):
                cache.drop()
                time.sleep(0.002)
    assert len(hits) == 4


def test_a_forked_child_finds_nothing_and_shares_nothing() -> None:
    cache = DroppableCache(PAGESIZE)
    cache.put("a", b"parent")

    def child() -> bytes:
        assert cache.get("a") is None
        cache.put("a", b"child")
        return cache.get("a") or b"lost"

    assert in_child(child) == b"child"
    assert cache.get("a") == b"parent"


def test_the_example_prints_what_it_promises() -> None:
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
