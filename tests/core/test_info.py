# SPDX-License-Identifier: MIT
"""info(), stats() and reseed(): what is told, and that it is true."""

from __future__ import annotations

import dataclasses
import resource

import pytest

import vgetrandom
from support.conditions import stateful
from support.libraries import chacha20_sets
from support.mappings import states_mappings
from support.running import in_thread, meeting, threads

INFO = vgetrandom.info()


def test_info_is_one_of_what_is_documented() -> None:
    assert INFO.chacha20 in chacha20_sets(supported=True)
    assert INFO.memory in ("droppable", "wipe-on-fork", "none")
    assert INFO.kernel_entropy in ("vdso", "syscall")
    assert INFO.watch in ("vdso-generation", "vmclock", "none")
    assert all(note and note.isascii() for note in INFO.notes)
    assert len(set(INFO.notes)) == len(INFO.notes)


def test_info_does_not_change() -> None:
    assert vgetrandom.info() == INFO
    with pytest.raises(dataclasses.FrozenInstanceError):
        INFO.memory = "magic"  # type: ignore[misc]


def test_what_is_not_best_is_explained() -> None:
    best = INFO.memory == "droppable" and INFO.kernel_entropy == "vdso" and INFO.watch != "none"
    assert bool(INFO.notes) or best


@stateful
def test_memory_is_what_the_kernel_says_it_is() -> None:
    assert any(mapping.droppable for mapping in states_mappings()) == (INFO.memory == "droppable")
    assert INFO.state_bytes == resource.getpagesize()
    assert 0 < INFO.batch_bytes < INFO.state_bytes


def test_info_draws() -> None:
    before = vgetrandom.stats()
    in_thread(vgetrandom.info)
    after = vgetrandom.stats()
    assert after.reseeds["first"] + after.fallbacks > before.reseeds["first"] + before.fallbacks


def test_stats_are_counts() -> None:
    stats = vgetrandom.stats()
    assert list(stats.reseeds) == ["first", "wiped", "generation", "requested"]
    counts = [stats.refills, stats.syscalls, stats.fallbacks, *stats.reseeds.values()]
    assert all(type(count) is int and count >= 0 for count in counts)
    with pytest.raises(TypeError):
        stats.reseeds["first"] = 0  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.refills = 0  # type: ignore[misc]


@stateful
def test_a_batch_is_a_refill() -> None:
    vgetrandom.random_bytes(1)
    before = vgetrandom.stats()
    drawn = 100 * INFO.batch_bytes
    for _ in range(drawn // 64):
        vgetrandom.random_bytes(64)
    after = vgetrandom.stats()
    # More if the kernel reseeds meanwhile.
    assert 99 <= after.refills - before.refills <= 110
    assert after.fallbacks == before.fallbacks


@stateful
def test_reseed_reaches_every_thread() -> None:
    count = 16
    barrier = meeting(count + 1)
    outputs: list[bytes] = []

    def draw(_: int) -> None:
        outputs.append(vgetrandom.random_bytes(16))
        barrier.wait()
        barrier.wait()
        outputs.append(vgetrandom.random_bytes(16))
        outputs.append(vgetrandom.random_bytes(16))

    with threads(count, draw):
        barrier.wait()
        before = vgetrandom.stats().reseeds
        vgetrandom.reseed()
        vgetrandom.reseed()
        barrier.wait()
    after = vgetrandom.stats().reseeds
    assert after["requested"] - before["requested"] == count
    assert after["first"] == before["first"]
    assert len(set(outputs)) == 3 * count


@stateful
def test_reseed_is_for_threads_that_have_drawn() -> None:
    vgetrandom.reseed()
    vgetrandom.random_bytes(16)
    before = vgetrandom.stats().reseeds["requested"]
    in_thread(lambda: vgetrandom.random_bytes(16))
    vgetrandom.random_bytes(16)
    assert vgetrandom.stats().reseeds["requested"] == before


def test_reseed_before_anything_was_drawn() -> None:
    in_thread(vgetrandom.reseed)
    assert vgetrandom.reseed() is None  # type: ignore[func-returns-value]
    assert len(vgetrandom.random_bytes(16)) == 16
