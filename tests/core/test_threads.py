# SPDX-License-Identifier: MIT
"""Threads that come and go: each has a state of its own, none stays behind."""

from __future__ import annotations

import mmap
from typing import Any

import pytest

import vgetrandom
from support import libraries, programs
from support.conditions import stateful
from support.mappings import states_mappings
from support.running import in_thread, in_threads, meeting
from support.windows import assert_unique

AT_ONCE = 64
SLOTS_PER_SLAB = 15  # as in csrc/slots.c


class Wave:
    """Threads that all exist at once, and what each of them has."""

    def __init__(self, size: int, library: libraries.Library) -> None:
        self.ffi, self.lib = library
        self.states: list[int] = []
        self.outputs: list[bytes] = []
        self.all_here = meeting(size)
        in_threads(size, self._draw)
        assert len(self.states) == size

    def _draw(self, number: int) -> None:
        output = self._random(16) + self._random(48 * number) + self._random(16)
        self.all_here.wait()
        state = int(self.ffi.cast("uintptr_t", self.lib.hook_state()))
        self.outputs.append(output + self._random(32))
        self.states.append(state)

    def _random(self, size: int) -> bytes:
        buffer: Any = bytearray(size)
        assert self.lib.vgetrandom(self.ffi.from_buffer(buffer), size, 0) == size
        return bytes(buffer)


def mapped() -> int:
    return sum(mapping.end - mapping.start for mapping in states_mappings())


@stateful
def test_states_of_threads_that_ended_are_used_again(rounds: int) -> None:
    library = libraries.hooked()
    first = Wave(AT_ONCE, library)
    states, outputs, size = set(first.states), list(first.outputs), mapped()
    for _ in range(max(3, 1000 * rounds // 10 // AT_ONCE)):
        wave = Wave(AT_ONCE, library)
        assert len(set(wave.states)) == AT_ONCE
        states.update(wave.states)
        outputs += wave.outputs
    # Not more states than there were threads at once, this one included; in whole slabs.
    assert len(states) <= AT_ONCE + 16
    assert mapped() == size
    assert_unique(outputs)


@pytest.mark.c_program
@stateful
def test_threads_that_begin_together_share_slabs() -> None:
    """However they race, a slab is added only when all states of the others are taken."""
    figures = programs.figures("thread_start", 20)
    slabs = -(-figures["threads"] // SLOTS_PER_SLAB)
    assert figures["mapped"] == slabs * SLOTS_PER_SLAB * mmap.PAGESIZE


@stateful
def test_states_are_wiped_when_their_threads_end() -> None:
    library = libraries.hooked()
    ffi = library[0]
    wave = Wave(8, library)
    for state in wave.states:
        page = ffi.buffer(ffi.cast("char *", state), 4096)
        assert bytes(page) == bytes(4096)


def test_outputs_of_the_shipped_library_are_unique(rounds: int) -> None:
    outputs: list[bytes] = []

    def draw(_: int) -> None:
        outputs.extend(vgetrandom.random_bytes(16) for _ in range(1000))
        outputs.append(vgetrandom.random_bytes(100_000))

    for _ in range(rounds):
        in_threads(8, draw)
    assert len(outputs) == rounds * 8 * 1001
    assert_unique(outputs)


@stateful
def test_each_thread_has_one_first_key() -> None:
    before = vgetrandom.stats().reseeds["first"]
    for _ in range(20):
        in_thread(lambda: vgetrandom.random_bytes(16))
    assert vgetrandom.stats().reseeds["first"] == before + 20


def test_counters_outlive_their_threads() -> None:
    before = vgetrandom.stats()
    in_thread(lambda: [vgetrandom.random_bytes(100_000) for _ in range(10)])
    after = vgetrandom.stats()
    assert after.refills + after.fallbacks >= before.refills + before.fallbacks + 10


@pytest.mark.c_program
def test_destructors_may_draw_and_leave_no_state_behind(rounds: int) -> None:
    """Thread-specific destructors may draw, before the generator's own has run and after it."""
    figures = programs.figures("thread_exit", 20 * rounds)
    # glibc has four rounds of destructors (PTHREAD_DESTRUCTOR_ITERATIONS).
    assert figures["early"] == figures["late"] == 4 * 20 * rounds
    assert figures["mapped_last"] == figures["mapped_first"]
    assert figures["kept"] == 0
