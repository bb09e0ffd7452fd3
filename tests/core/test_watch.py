# SPDX-License-Identifier: MIT
"""The kernel's reseed generation: when it is found, what a change of it does, when it is given up.

The scripted kernel has the generation at one place of a page of [vvar], with a flag beside it that
says that the kernel's generator is ready. How the place is told is test_watch_search.py's subject.
"""

from __future__ import annotations

import pytest

from support.conditions import own_process, unless_set
from support.model import Model
from support.running import in_child, in_thread, in_threads, meeting
from support.script import Kernel, new_kernel

READY = 1
GENERATION = 1000  # the scripted kernel's first
PLACE = 80  # where its [vvar] has it
MORE_THAN_A_BATCH = 4096

NOT_WATCHED = "the kernel's reseed generation cannot be watched here"
DISAGREED = "turned out not to be the kernel's generation"

pytestmark = [
    own_process,
    unless_set("VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO"),
]


def place(kernel: Kernel, value: int, flag: int = READY, at: int = PLACE, page: int = 0) -> None:
    """Write a word and the flag beside it to [vvar]."""
    kernel.script.vvar[page][at] = value
    kernel.script.vvar[page][at + 1] = flag


def draw_batches(kernel: Kernel, count: int) -> None:
    """Draw so that there are refills, at which the core looks for the word and compares it."""
    for _ in range(count):
        kernel.draw(MORE_THAN_A_BATCH)


def reseeds_of_a_draw(kernel: Kernel) -> int:
    """How often the next draw starts from a new key because the generation is another."""
    before = int(kernel.stats().reseeds_generation)
    kernel.draw(16)
    return int(kernel.stats().reseeds_generation) - before


def watching() -> Kernel:
    """A core that has found the generation at its first draw."""
    kernel = new_kernel()
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    return kernel


def assert_draws_are_right(kernel: Kernel, count: int = 20) -> None:
    """Whatever is watched, the output is what the protocol says, under a new key."""
    model = Model(kernel)
    model.valid_for = 1
    model.keyed = True
    kernel.request()
    for _ in range(count):
        assert kernel.draw(1000) == model.draw(1000)


def assert_given_up_for_good(kernel: Kernel) -> None:
    """The watch is off, a note says so, and it does not come back when the word is right again."""
    assert kernel.watch == "none"
    assert any(DISAGREED in note for note in kernel.notes())
    assert not kernel.lib.hook_watch_looking()
    place(kernel, kernel.script.generation)
    draw_batches(kernel, 64)
    assert kernel.watch == "none"
    kernel.reseed()
    assert reseeds_of_a_draw(kernel) == 0


# --- what a reseed of the kernel does ---


def test_the_next_draw_has_a_new_key() -> None:
    kernel = watching()
    assert not [note for note in kernel.notes() if "clone" not in note]  # test_clones.py has those
    kernel.reseed()
    assert reseeds_of_a_draw(kernel) == 1
    assert_draws_are_right(kernel)


def test_the_next_draws_of_all_threads_have_new_keys() -> None:
    kernel = new_kernel()
    count = 16
    barrier = meeting(count)

    def draw(number: int) -> None:
        kernel.draw(16)
        if barrier.wait() == 0:
            kernel.reseed()
        barrier.wait()
        kernel.draw(16 + number)

    in_threads(count, draw)
    assert kernel.stats().reseeds_generation == count


def test_a_thread_that_has_never_drawn_has_no_key_to_replace() -> None:
    kernel = watching()
    kernel.reseed()
    in_thread(lambda: kernel.draw(16))
    assert kernel.stats().reseeds_generation == 0
    assert kernel.stats().reseeds_first == 2


# --- when it is found ---


def test_it_is_found_in_another_page() -> None:
    kernel = new_kernel()
    place(kernel, 0, 0)
    place(kernel, GENERATION, at=5, page=1)
    kernel.script.vvar_pages = 2
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"


@pytest.mark.parametrize("why", ["no pages", "no vdso", "not ready", "not the same", "zero"])
def test_where_it_is_not_found_nothing_is_claimed_and_nothing_breaks(why: str) -> None:
    kernel = new_kernel()
    if why == "no pages":
        kernel.script.vvar_pages = 0
    elif why == "no vdso":
        kernel.script.has_vdso = 0
    elif why == "not ready":
        place(kernel, GENERATION, 0)
    elif why == "not the same":
        place(kernel, GENERATION + 1)
    else:
        kernel.script.generation = 0
        place(kernel, 0)
    draw_batches(kernel, 20)
    assert kernel.watch == "none"
    assert any(NOT_WATCHED in note for note in kernel.notes())
    place(kernel, GENERATION + 5, 0)
    assert reseeds_of_a_draw(kernel) == 0


def test_it_is_found_later_where_the_kernel_was_not_ready() -> None:
    """Early after boot the vDSO has no generation yet."""
    kernel = new_kernel()
    kernel.script.generation = 0
    place(kernel, 0, 0)
    kernel.draw(16)
    assert kernel.watch == "none"
    assert kernel.lib.hook_watch_looking()
    kernel.reseed()
    draw_batches(kernel, 64)
    assert not kernel.lib.hook_watch_looking()
    # In the pages that the first draw found: where they are is not asked for again.
    assert kernel.script.vvar_searches == 1
    assert kernel.watch == "vdso-generation"
    assert not any(NOT_WATCHED in note for note in kernel.notes())
    kernel.reseed()
    assert reseeds_of_a_draw(kernel) == 1


def test_of_two_candidates_none_is_watched_until_one_is_left() -> None:
    kernel = new_kernel()
    place(kernel, GENERATION, at=200)
    draw_batches(kernel, 8)
    assert kernel.watch == "none"
    place(kernel, GENERATION + 7, at=200)
    draw_batches(kernel, 64)
    assert kernel.watch == "vdso-generation"


def test_of_candidates_in_two_pages_none_is_watched() -> None:
    kernel = new_kernel()
    kernel.script.vvar_pages = 2
    place(kernel, GENERATION, page=1)
    draw_batches(kernel, 8)
    assert kernel.watch == "none"


# --- when it is given up: the word that was found is not the generation after all ---


def test_a_constant_that_happened_to_be_the_same_is_given_up() -> None:
    kernel = new_kernel()
    place(kernel, 0, 0)
    place(kernel, GENERATION, at=200)
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    # The kernel reseeds; the word stays as it is.
    kernel.script.generation = GENERATION + 1
    draw_batches(kernel, 3)
    assert_given_up_for_good(kernel)


@pytest.mark.parametrize("step", [1, -1, 1 << 40])
def test_a_word_that_changes_all_the_time_is_given_up(step: int) -> None:
    kernel = new_kernel()

    def change(_call: int) -> None:
        if not kernel.lib.hook_watch_looking():  # or it would never be found
            kernel.script.vvar[0][PLACE] += step

    with kernel.on_call(change):
        draw_batches(kernel, 10)
    assert_given_up_for_good(kernel)


def test_a_word_that_changes_between_draws_costs_reseeds_and_nothing_else() -> None:
    kernel = new_kernel()
    outputs = [kernel.draw(16)]
    for step in range(100):
        kernel.script.vvar[0][PLACE] = 5000 + step
        outputs += [kernel.draw(16), kernel.draw(MORE_THAN_A_BATCH)[:16]]
    assert len(set(outputs)) == len(outputs)
    assert_given_up_for_good(kernel)


def test_a_dropped_page_is_no_reason_to_give_it_up() -> None:
    kernel = watching()
    start = kernel.calls
    with kernel.on_call(lambda call: kernel.drop() if call - start < 50 else None):
        draw_batches(kernel, 30)
    assert kernel.watch == "vdso-generation"


def test_a_reseed_of_the_kernel_during_a_refill_is_no_reason_to_give_it_up() -> None:
    kernel = watching()
    with kernel.on_call(lambda _call: kernel.reseed()):
        draw_batches(kernel, 30)
    assert kernel.watch == "vdso-generation"


# --- children in another time namespace, where some kernels have the pages in another order ---


def watching_the_first_of_two_pages() -> Kernel:
    """A core that has found the generation in the first page, and could not read the second."""
    kernel = new_kernel()
    kernel.script.vvar_pages = 2
    kernel.script.vvar_unreadable = 1 << 1
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    return kernel


def move_to_the_second_page(kernel: Kernel) -> None:
    kernel.script.vvar_unreadable = 0
    place(kernel, 0, 0)
    place(kernel, GENERATION, page=1)


def test_a_child_finds_the_word_that_moved_once() -> None:
    kernel = watching_the_first_of_two_pages()

    def child() -> bytes:
        move_to_the_second_page(kernel)
        kernel.draw(MORE_THAN_A_BATCH)
        assert kernel.watch == "vdso-generation"
        # A bare chroot has no /sys.
        assert not [note for note in kernel.notes() if "/sys/bus" not in note]
        assert reseeds_of_a_draw(kernel) == 0
        place(kernel, GENERATION + 1, page=1)
        kernel.script.generation = GENERATION + 1
        assert reseeds_of_a_draw(kernel) == 1
        # If it moves to a third place, it is given up.
        kernel.script.generation = GENERATION + 2
        place(kernel, 0, 0, page=1)
        place(kernel, GENERATION + 2, at=PLACE + 2)
        draw_batches(kernel, 3)
        assert_given_up_for_good(kernel)
        return b"ok"

    assert in_child(child) == b"ok"


def test_a_process_that_was_not_forked_does_not_try_pages_that_could_not_be_read() -> None:
    kernel = watching_the_first_of_two_pages()
    move_to_the_second_page(kernel)
    draw_batches(kernel, 3)
    assert_given_up_for_good(kernel)


# --- VGETRANDOM_WATCH ---


def test_off_is_no_watch_and_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_WATCH", "off")
    kernel = new_kernel()
    kernel.draw(16)
    assert kernel.watch == "none"
    assert any("VGETRANDOM_WATCH=off" in note for note in kernel.notes())
    assert not kernel.lib.hook_watch_looking()
    kernel.reseed()
    assert reseeds_of_a_draw(kernel) == 0


@pytest.mark.parametrize("value", ["on", "Off", "0", "vdso-generation"])
def test_a_value_that_is_not_known_is_ignored_and_a_note(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VGETRANDOM_WATCH", value)
    kernel = new_kernel()
    assert kernel.watch == "vdso-generation"
    assert any("VGETRANDOM_WATCH has a value that is not known" in n for n in kernel.notes())
