# SPDX-License-Identifier: MIT
"""Pages that are really dropped under the generator: noticed, and never seen in the output."""

from __future__ import annotations

import random

import pytest

import vgetrandom
from support import programs
from support.mappings import (
    MADV_DONTNEED,
    MADV_PAGEOUT,
    on_one_processor,
    skip_unless_supported,
    states_mappings,
)
from support.running import meanwhile
from support.windows import assert_unique

MEMORY = vgetrandom.info().memory
BATCH = vgetrandom.info().batch_bytes

pytestmark = pytest.mark.skipif(MEMORY == "none", reason="no states: there is nothing to drop")

pageout = pytest.param(
    MADV_PAGEOUT,
    id="pageout",
    marks=pytest.mark.skipif(MEMORY != "droppable", reason="MADV_PAGEOUT drops droppable memory"),
)
dontneed = pytest.param(MADV_DONTNEED, id="dontneed")

# Multiples of 16: what is repeated is repeated at such an offset.
SIZES = [16, 16, 16, 48, 256, 272, BATCH // 16 * 16, 2 * BATCH // 16 * 16]


def wiped() -> int:
    return vgetrandom.stats().reseeds["wiped"]


@pytest.mark.parametrize("advice", [pageout, dontneed])
def test_drops_between_draws_are_noticed(advice: int, rounds: int) -> None:
    vgetrandom.random_bytes(1)
    skip_unless_supported(advice)
    pages = states_mappings()
    assert pages
    rng = random.Random(advice)
    outputs = [vgetrandom.random_bytes(16)]
    goal = 200 * rounds
    with on_one_processor():
        before = wiped()
        # The kernel may keep a page, so it is asked again.
        for _ in range(20 * goal):
            for mapping in pages:
                mapping.advise(advice)
            outputs.append(vgetrandom.random_bytes(rng.choice(SIZES)))
            if wiped() - before >= goal:
                break
    assert wiped() - before >= goal, f"of {len(outputs)} attempts"
    assert_unique(outputs)


def test_every_drop_is_a_reseed(rounds: int) -> None:
    """MADV_DONTNEED zeroes whatever it is asked to, so each one counts."""
    vgetrandom.random_bytes(16)
    pages = states_mappings()
    before = vgetrandom.stats()
    for _ in range(50 * rounds):
        for mapping in pages:
            mapping.advise(MADV_DONTNEED)
        vgetrandom.random_bytes(16)
        vgetrandom.random_bytes(16)
    after = vgetrandom.stats()
    assert after.reseeds["wiped"] - before.reseeds["wiped"] == 50 * rounds
    assert after.reseeds["first"] == before.reseeds["first"]
    assert after.fallbacks == before.fallbacks


@pytest.mark.parametrize("advice", [pageout, dontneed])
def test_drops_during_draws_are_noticed(advice: int, rounds: int) -> None:
    vgetrandom.random_bytes(1)
    skip_unless_supported(advice)
    pages = states_mappings()

    def drop() -> None:
        # The GIL is released for it.
        for mapping in pages:
            mapping.advise(advice)

    rng = random.Random(advice)
    outputs = []
    before = wiped()
    with meanwhile(drop):
        # A busy machine may not have dropped anything by then: longer.
        for i in range(2000):
            if i >= 50 and wiped() > before:
                break
            outputs += [vgetrandom.random_bytes(rng.choice(SIZES)) for _ in range(20 * rounds)]
            # Several chunks of a size that releases the GIL.
            outputs.append(vgetrandom.random_bytes(16 * rng.randrange(600, 20_000)))
    assert wiped() > before
    assert_unique(outputs)


@pytest.mark.c_program
@pytest.mark.parametrize("advice", ["pageout", "dontneed"])
def test_drops_during_draws_of_several_threads_are_noticed(advice: str, rounds: int) -> None:
    """Three threads draw as fast as they can while a fourth drops their pages."""
    figures = programs.figures("drop_draws", 10_000 * rounds, advice)
    assert figures["mappings"] > 0
    assert figures["drops"] > 0
    assert figures["wiped"] > 0
