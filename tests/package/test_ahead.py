# SPDX-License-Identifier: MIT
"""Work that is done ahead of its tests (support/ahead.py)."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor

import pytest

from support.ahead import ahead, unless_skipped
from vgetrandom.bench import machine


def numbered(number: int, letter: str, rounds: int) -> tuple[int, str, bool, int]:
    return number, letter, rounds > 0, threading.get_ident()


@ahead(numbered)
@pytest.mark.parametrize("letter", ["a", "b"])
@pytest.mark.parametrize("number", [1, 2])
def test_each_test_gets_its_own(number: int, letter: str, done: tuple[int, str, bool, int]) -> None:
    assert done[:3] == (number, letter, True)
    assert done[3] != threading.get_ident()


def fail() -> None:
    raise LookupError


@ahead(fail)
@pytest.mark.xfail(raises=LookupError, strict=True)
@pytest.mark.usefixtures("done")
def test_what_it_raises_is_raised() -> None:
    pass


def leave_out(reason: str) -> None:
    pytest.skip(reason)


def test_a_skip_comes_back_from_another_process() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        told = processes.submit(unless_skipped, leave_out, {"reason": "not here"})
        assert told.result(60) == (None, "not here")


def together() -> None:
    """Wait for the other one, as nobody could who has to end before the other begins."""
    both.wait(timeout=20)


both = threading.Barrier(2)


@ahead(together)
@pytest.mark.skipif(machine.cores() < 2, reason="one processor")
@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.usefixtures("done")
def test_two_are_done_at_once(which: int) -> None:
    assert which
