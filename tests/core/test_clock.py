# SPDX-License-Identifier: MIT
"""Each run of keystream has the clock's reading for its nonce: so clones of a machine diverge."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support import libraries, programs
from support.conditions import new_thread, own_process, stateful
from support.model import Model
from support.running import in_thread
from support.script import Kernel, new_kernel
from support.windows import windows

LAYOUT = libraries.layout_of(libraries.scripted())
BATCH = LAYOUT.batch_bytes
BULK = LAYOUT.bulk_bytes
DRAWN_BEFORE = 100
NO_CLOCK = 999


def cloned(clocks: tuple[int, int], sizes: list[int]) -> list[bytes]:
    """What two copies of one generator draw from then on, over equal kernels."""
    copies = [new_kernel() for _ in clocks]
    assert len({kernel.draw(DRAWN_BEFORE) for kernel in copies}) == 1
    for kernel, clock in zip(copies, clocks, strict=True):
        kernel.script.clock = clock
    return [b"".join(kernel.draw(size) for size in sizes) for kernel in copies]


@own_process
@pytest.mark.parametrize("size", [16, 100, 1000, BATCH, BULK, 3 * BULK + 5])
def test_clones_share_nothing_after_one_batch(size: int) -> None:
    one, other = cloned((1, 2), [size] * max(3, 8 * BATCH // size))
    assert len(windows(one) & windows(other)) <= BATCH - DRAWN_BEFORE
    # Large requests leave the batch to later ones, or take what is not a whole run from it.
    late = len(one) // 2
    assert not windows(one[late:]) & windows(other)
    assert not windows(one) & windows(other[late:])


@own_process
@pytest.mark.parametrize("size", [16, 1000, BATCH, BULK])
def test_clones_whose_clocks_are_equal_repeat(size: int) -> None:
    """This shows that the test above can fail: nothing else makes them diverge."""
    one, other = cloned((1, 1), [size] * 300)
    assert one == other


@own_process
def test_each_run_takes_one_reading_and_bytes_of_the_batch_none() -> None:
    kernel = new_kernel()
    kernel.draw(1)
    for size, runs in ((16, 0), (BATCH - 17, 0), (16, 1), (BULK, 1), (3 * BULK, 3), (1, 0)):
        before = kernel.script.clock_readings
        kernel.draw(size)
        assert kernel.script.clock_readings - before == runs, size


@new_thread
def test_a_draw_that_is_done_again_takes_a_new_reading(kernel: Kernel) -> None:
    model = Model(kernel)
    assert kernel.draw(16) == model.draw(16)
    call = kernel.calls
    before = kernel.script.clock_readings
    model.events = {call: model.drop}
    with kernel.on_call(lambda number: kernel.drop() if number == call else None):
        assert kernel.draw(BULK) == model.draw(BULK)
    assert kernel.script.clock_readings - before == 3


@own_process
def test_without_a_clock_the_nonce_is_zero_and_a_note_says_so() -> None:
    kernel = new_kernel()
    kernel.script.clock = NO_CLOCK
    model = Model(kernel)
    for size in (16, BATCH, BULK):
        assert kernel.draw(size) == model.draw(size)
    assert any("no clock" in note for note in kernel.notes())


@own_process
def test_a_thread_that_may_not_read_the_counter_reads_the_coarse_clock() -> None:
    kernel = new_kernel()
    kernel.script.counter_forbidden = 1
    kernel.draw(BULK)
    assert kernel.script.coarse_readings == kernel.script.clock_readings > 0


@own_process
@pytest.mark.parametrize("forbidden", [False, True])
def test_so_does_a_thread_that_draws_for_an_object_only(*, forbidden: bool) -> None:
    kernel = new_kernel()
    kernel.draw(16)
    generator = kernel.lib.vgetrandom_generator_new()
    kernel.script.counter_forbidden = forbidden
    before, coarse_before = kernel.script.clock_readings, kernel.script.coarse_readings
    in_thread(lambda: kernel.lib.vgetrandom_generator_u64(generator))
    assert kernel.script.clock_readings - before == 1
    assert kernel.script.coarse_readings - coarse_before == forbidden


@pytest.mark.c_program
def test_draws_go_on_where_the_counter_is_forbidden() -> None:
    assert programs.end("forbidden_counter").returncode == 0


@pytest.mark.c_program
def test_draws_go_on_where_the_counter_is_forbidden_to_one_thread() -> None:
    assert programs.end("forbidden_counter", "thread").returncode == 0


@pytest.mark.c_program
@stateful
def test_a_process_that_forbids_the_counter_later_is_killed() -> None:
    """libc's clock_gettime() ends it in the same way."""
    assert programs.end("forbidden_counter", "later").returncode == -signal.SIGSEGV


# --- the real clocks ---


@pytest.mark.parametrize("coarse", [False, True])
def test_the_clock_goes_on(coarse: bool) -> None:
    _, lib = libraries.hooked()
    readings = [lib.hook_clock_read(coarse) for _ in range(1000)]
    assert readings == sorted(readings)
    assert len(set(readings)) > (900 if not coarse else 0)
    assert 0 not in readings


def test_the_coarse_clock_is_the_wall_clock() -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    _, lib = libraries.hooked()
    coarse = True
    assert lib.hook_clock_read(coarse) > uptime * 1e9
