# SPDX-License-Identifier: MIT
"""A draw that is interrupted after any one of its instructions is as good as any other."""

from __future__ import annotations

import os
import platform

import pytest

import vgetrandom
from support import programs
from support.ahead import ahead

MEMORY = vgetrandom.info().memory

pytestmark = [
    pytest.mark.c_program,
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="single steps are written for x86-64's trap flag"
    ),
    pytest.mark.skipif(MEMORY == "none", reason="no states: there is no draw to interrupt"),
]

SITUATIONS = ["hot", "refill", "across", "bulk", "wiped", "requested", "first"]

# After its last look at the page a draw cannot notice a fork any more. Such a fork comes after the
# draw, and both processes have its bytes; so many instructions are left of it then at most.
RETURNING = 60

# The shortest draw in a static program has 36 instructions, all of which are stepped through.
FORKS = 30


Figures = dict[str, int]


def stepped(situation: str, action: str, most: int) -> Figures:
    return programs.figures("stepping", situation, action, most)


def with_draws(situation: str, action: str) -> Figures:
    return stepped(situation, action, 10_000)


def with_a_draw(situation: str, rounds: int) -> Figures:
    return stepped(situation, "draw-once", 3 * rounds)


def with_forks(situation: str, how: str, rounds: int) -> Figures:
    return stepped(situation, how, 60 * rounds)


def with_threads_in_forks(situation: str, rounds: int) -> Figures:
    return stepped(situation, "fork-thread", 60 * rounds)


def with_drops(situation: str, rounds: int) -> Figures:
    return stepped(situation, "drop", 100 if situation == "hot" else 2 * rounds)


def with_requests(situation: str, rounds: int) -> Figures:
    return stepped(situation, "request", 100 if situation == "hot" else rounds)


def with_reseeds_of_the_kernel(situation: str, rounds: int) -> Figures:
    return stepped(situation, "reseed-kernel", 100 if situation == "hot" else rounds)


@ahead(with_draws)
@pytest.mark.parametrize("situation", [*SITUATIONS, "first-of-process"])
@pytest.mark.parametrize("action", ["draw", "draw-while-out"])
def test_a_handler_may_draw(situation: str, action: str, done: Figures) -> None:
    assert done["actions"] >= 5, action
    if situation != "first-of-process":
        assert done["fallbacks"] >= 5


@ahead(with_a_draw)
@pytest.mark.parametrize("situation", ["first", "first-of-process", "wiped"])
def test_a_handler_may_make_the_first_draw(situation: str, done: Figures) -> None:
    """The handler's may be the thread's first draw; the thread has one state all the same."""
    assert done["actions"] >= 50, situation


@ahead(with_forks)
@pytest.mark.parametrize("situation", [*SITUATIONS, "first-of-process", "forked"])
@pytest.mark.parametrize("how", ["fork", "clone"])
def test_a_handler_may_fork(situation: str, how: str, done: Figures) -> None:
    """The child goes back into the interrupted draw and finishes it, as does the parent."""
    assert done["forks"] >= FORKS, (situation, how)
    assert done["shared_at_the_end"] <= RETURNING


@ahead(with_threads_in_forks)
@pytest.mark.parametrize("situation", ["first", "first-of-process", "forked", "wiped"])
def test_a_handler_may_fork_and_begin_a_thread_in_the_child(situation: str, done: Figures) -> None:
    """What the interrupted draw knew of the states' owners is out of date in the child."""
    assert done["forks"] >= FORKS, situation


def assert_noticed(situation: str, reason: str, figures: Figures) -> None:
    """Each event made a reseed, in this draw or in the next."""
    # A draw that reseeds anyway may do so after the event, for both; and the kernel may reseed
    # by itself at any time.
    if situation in ("hot", "refill", "across", "bulk"):
        by_itself = figures["generation"] if reason != "generation" else 0
        assert figures[reason] + by_itself >= figures["actions"]


@ahead(with_drops)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_dropped_page_is_noticed(situation: str, done: Figures) -> None:
    assert done["actions"] >= 3
    assert_noticed(situation, "wiped", done)


@ahead(with_requests)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_requested_reseed_is_noticed(situation: str, done: Figures) -> None:
    assert done["actions"] >= 2
    assert_noticed(situation, "requested", done)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may reseed the kernel (RNDRESEEDCRNG)")
@pytest.mark.skipif(
    vgetrandom.info().watch != "vdso-generation",
    reason=f"the kernel's generation is not watched here: {vgetrandom.info().watch}",
)
@ahead(with_reseeds_of_the_kernel)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_reseed_of_the_kernel_is_noticed(situation: str, done: Figures) -> None:
    assert done["actions"] >= 2
    assert_noticed(situation, "generation", done)
