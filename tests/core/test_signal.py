# SPDX-License-Identifier: MIT
"""Draws in signal handlers, in the middle of draws: no repeats, no zeros."""

from __future__ import annotations

import pytest

import vgetrandom
from support import programs


@pytest.mark.c_program
def test_a_handler_may_draw_in_the_middle_of_pthread_key_create() -> None:
    """Where no key is left, musl holds a lock there, for which no draw may wait."""
    figures = programs.figures("no_key", 200, timeout=60)
    assert figures["handled"] >= 200
    assert figures["fallbacks"] >= 200


@pytest.mark.c_program
def test_a_timer_s_handler_may_draw_in_the_middle_of_draws(rounds: int) -> None:
    draws = 200_000 * rounds
    figures = programs.figures("signal_draws", draws)
    assert figures["records"] > draws
    assert figures["handled"] > 0
    # Some handlers found a draw in the middle, and were served by the kernel.
    assert figures["fallbacks"] > 0
    if vgetrandom.info().memory != "none":
        assert figures["first"] == 1  # whether it was the handler's or not
