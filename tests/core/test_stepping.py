# SPDX-License-Identifier: MIT
"""A draw that is interrupted after any one of its instructions is as good as any other."""

from __future__ import annotations

import os
import platform

import pytest

import vgetrandom
from support import programs

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


@pytest.mark.parametrize("situation", [*SITUATIONS, "first-of-process"])
@pytest.mark.parametrize("action", ["draw", "draw-while-out"])
def test_a_handler_may_draw(situation: str, action: str) -> None:
    figures = programs.figures("stepping", situation, action, 10_000)
    assert figures["actions"] >= 5
    if situation != "first-of-process":
        assert figures["fallbacks"] >= 5


@pytest.mark.parametrize("situation", ["first", "first-of-process", "wiped"])
def test_a_handler_may_make_the_first_draw(situation: str, rounds: int) -> None:
    """The handler's may be the thread's first draw; the thread has one state all the same."""
    figures = programs.figures("stepping", situation, "draw-once", 3 * rounds)
    assert figures["actions"] >= 50


@pytest.mark.parametrize("situation", [*SITUATIONS, "first-of-process", "forked"])
@pytest.mark.parametrize("how", ["fork", "clone"])
def test_a_handler_may_fork(situation: str, how: str, rounds: int) -> None:
    """The child goes back into the interrupted draw and finishes it, as does the parent."""
    figures = programs.figures("stepping", situation, how, 60 * rounds)
    assert figures["forks"] >= FORKS
    assert figures["shared_at_the_end"] <= RETURNING


@pytest.mark.parametrize("situation", ["first", "first-of-process", "forked", "wiped"])
def test_a_handler_may_fork_and_begin_a_thread_in_the_child(situation: str, rounds: int) -> None:
    """What the interrupted draw knew of the states' owners is out of date in the child."""
    figures = programs.figures("stepping", situation, "fork-thread", 60 * rounds)
    assert figures["forks"] >= FORKS


def test_a_fork_while_a_state_is_claimed_loses_no_other() -> None:
    """The child has no other threads: what these had is free in it, whatever was known before."""
    figures = programs.figures("stepping", "first-of-main", "fork-while-claiming", 100_000)
    assert figures["forks"] >= FORKS


def assert_noticed(situation: str, reason: str, figures: dict[str, int]) -> None:
    """Each event made a reseed, in this draw or in the next."""
    # A draw that reseeds anyway may do so after the event, for both; and the kernel may reseed
    # by itself at any time.
    if situation in ("hot", "refill", "across", "bulk"):
        by_itself = figures["generation"] if reason != "generation" else 0
        assert figures[reason] + by_itself >= figures["actions"]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_dropped_page_is_noticed(situation: str, rounds: int) -> None:
    most = 100 if situation == "hot" else 2 * rounds
    figures = programs.figures("stepping", situation, "drop", most)
    assert figures["actions"] >= 3
    assert_noticed(situation, "wiped", figures)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_requested_reseed_is_noticed(situation: str, rounds: int) -> None:
    most = 100 if situation == "hot" else rounds
    figures = programs.figures("stepping", situation, "request", most)
    assert figures["actions"] >= 2
    assert_noticed(situation, "requested", figures)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may reseed the kernel (RNDRESEEDCRNG)")
@pytest.mark.skipif(
    vgetrandom.info().watch != "vdso-generation",
    reason=f"the kernel's generation is not watched here: {vgetrandom.info().watch}",
)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_reseed_of_the_kernel_is_noticed(situation: str, rounds: int) -> None:
    most = 100 if situation == "hot" else rounds
    figures = programs.figures("stepping", situation, "reseed-kernel", most)
    assert figures["actions"] >= 2
    assert_noticed(situation, "generation", figures)
