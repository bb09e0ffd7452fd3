# SPDX-License-Identifier: MIT
"""Which word of [vvar] is the kernel's reseed generation: the vDSO's state of a thread repeats it.

A candidate is a word that is not zero and that the state has too, with a flag of 1 beside it, which
says that the kernel's generator is ready. It is watched only if it is the only candidate.
"""

from __future__ import annotations

import random

import pytest

from support.libraries import hooked

READY = 1
GENERATION = 77


def words(count: int, seed: int = 0) -> list[int]:
    """Words of 64 bits of which none is 0, 1 or the generation."""
    rng = random.Random(seed)
    return [rng.randrange(GENERATION + 1, 2**64) for _ in range(count)]


@pytest.fixture
def page() -> list[int]:
    """A page of [vvar], which has no candidate yet."""
    return words(512)


@pytest.fixture
def state() -> list[int]:
    """The vDSO's state of a thread, which has no generation yet."""
    return words(18, seed=1)


def candidates(page: list[int], state: list[int]) -> tuple[int, int, int]:
    """How many candidates there are, and the last one's places in the page and in the state."""
    ffi, lib = hooked()
    at_page, at_state = ffi.new("size_t *"), ffi.new("size_t *")
    in_page, in_state = ffi.new("uint64_t[]", page), ffi.new("uint64_t[]", state)
    count = lib.hook_watch_find(in_page, 8 * len(page), in_state, 8 * len(state), at_page, at_state)
    return count, at_page[0] // 8, at_state[0] // 8


@pytest.mark.parametrize("at", [0, 1, 80, 255, 509, 510])
@pytest.mark.parametrize("there", [0, 5, 17])
def test_the_candidate_is_found_wherever_it_is(
    page: list[int], state: list[int], at: int, there: int
) -> None:
    page[at : at + 2] = [GENERATION, READY]
    state[there] = GENERATION
    assert candidates(page, state) == (1, at, there)


def test_the_other_words_may_be_zero() -> None:
    page, state = [0] * 512, [0] * 18
    page[3:5] = [GENERATION, READY]
    state[16] = GENERATION
    assert candidates(page, state) == (1, 3, 16)


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (GENERATION + 1, READY),
        (GENERATION, 0),
        (GENERATION, 2),
        (GENERATION, READY << 32),
        (GENERATION, READY | 1 << 32),
        (GENERATION << 32, READY),
    ],
)
def test_another_value_or_another_flag_is_no_candidate(
    page: list[int], state: list[int], value: int, flag: int
) -> None:
    page[80:82] = [value, flag]
    state[5] = GENERATION
    assert candidates(page, state)[0] == 0


def test_zero_is_no_generation(page: list[int], state: list[int]) -> None:
    page[80:82] = [0, READY]
    state[5] = 0
    assert candidates(page, state)[0] == 0


def test_the_last_word_of_a_page_has_no_flag_beside_it(page: list[int], state: list[int]) -> None:
    page[511] = GENERATION
    state[5] = GENERATION
    assert candidates(page, state)[0] == 0


def test_two_places_with_one_value_are_two_candidates(page: list[int], state: list[int]) -> None:
    page[80:82] = page[100:102] = [GENERATION, READY]
    state[5] = GENERATION
    assert candidates(page, state)[0] == 2


def test_a_value_that_the_state_has_twice_is_two_candidates(
    page: list[int], state: list[int]
) -> None:
    page[80:82] = [GENERATION, READY]
    state[5] = state[6] = GENERATION
    assert candidates(page, state)[0] == 2


def test_two_values_that_the_state_has_are_two_candidates(
    page: list[int], state: list[int]
) -> None:
    page[80:82] = [GENERATION, READY]
    page[100:102] = [GENERATION + 1, READY]
    state[5:7] = [GENERATION, GENERATION + 1]
    assert candidates(page, state)[0] == 2
