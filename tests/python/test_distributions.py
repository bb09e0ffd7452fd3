# SPDX-License-Identifier: MIT
"""SystemRandom's numbers have the distributions they should; tests that can fail show a bias."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support.statistics import chi_squared, kolmogorov_smirnov, uniformly

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = vgetrandom.SystemRandom()
MANY = 60_000


def permuted(shuffle: Callable[[list[int]], object], size: int) -> tuple[int, ...]:
    items = list(range(size))
    shuffle(items)
    return tuple(items)


def sattolo(items: list[int]) -> None:
    """Shuffle with the bound off by one: no item stays where it is."""
    for i in range(len(items) - 1, 0, -1):
        j = OURS.randrange(i)
        items[i], items[j] = items[j], items[i]


def thirds(below: Callable[[int], int], bits: int) -> list[int]:
    """Tell into which third of [0, 3 * 2**bits) each number falls: modulo favours the first."""
    return [below(3 << bits) >> bits for _ in range(MANY)]


def modulo(bits: int) -> Callable[[int], int]:
    """Make a bounded integer with the bias that a remainder has."""
    return lambda bound: OURS.getrandbits(bits) % bound


@pytest.mark.parametrize("bits", [0, 2, 30, 31, 62, 64, 100])
def test_bounded_integers_are_unbiased(bits: int) -> None:
    for below in (OURS.randrange, lambda n: OURS.randint(0, n - 1)):
        assert chi_squared(thirds(below, bits), uniformly(range(3))) < 1


@pytest.mark.parametrize("bits", [32, 64])
def test_modulo_bias_is_found(bits: int) -> None:
    assert chi_squared(thirds(modulo(bits), bits - 2), uniformly(range(3))) > 1


def test_every_small_bound() -> None:
    for bound in (2, 3, 5, 6, 7, 10, 100):
        seen = [OURS.randrange(bound) for _ in range(MANY)]
        assert chi_squared(seen, uniformly(range(bound))) < 1
        seen = [OURS.choice(range(bound)) for _ in range(MANY)]
        assert chi_squared(seen, uniformly(range(bound))) < 1
    seen = OURS.choices(range(7), k=MANY)
    assert chi_squared(seen, uniformly(range(7))) < 1


def test_shuffles_are_all_equally_likely() -> None:
    every = uniformly(list(itertools.permutations(range(4))))
    assert chi_squared([permuted(OURS.shuffle, 4) for _ in range(MANY)], every) < 1


def test_a_shuffle_off_by_one_is_found() -> None:
    every = uniformly(list(itertools.permutations(range(4))))
    assert chi_squared([permuted(sattolo, 4) for _ in range(MANY)], every) > 1


@pytest.mark.parametrize(("size", "k"), [(5, 2), (5, 5), (1, 1), (600, 1)])
def test_samples_are_all_equally_likely(size: int, k: int) -> None:
    every = list(itertools.permutations(range(size), k))
    seen = [tuple(OURS.sample(range(size), k)) for _ in range(MANY)]
    if len(every) > 1:
        assert chi_squared(seen, uniformly(every)) < 1
    assert set(seen) <= set(every)


@pytest.mark.parametrize("size", [512, 513, 10**6])
def test_samples_have_no_item_twice(size: int) -> None:
    for k in (0, 1, 31, 32, 33, 100):
        for _ in range(50):
            sample = OURS.sample(range(size), k)
            assert len(sample) == len(set(sample)) == k
            assert all(0 <= item < size for item in sample)


def test_doubles_are_uniform_and_have_53_bits() -> None:
    seen = [OURS.random() for _ in range(MANY)]
    assert kolmogorov_smirnov(seen, lambda x: x) < 1
    last_bits = [int(x * 2**53) & 1 for x in seen]
    assert chi_squared(last_bits, uniformly((0, 1))) < 1
    assert all((x * 2**53).is_integer() and 0 <= x < 1 for x in seen)


def test_a_double_of_52_bits_is_found() -> None:
    seen = [OURS.getrandbits(52) / 2**52 for _ in range(MANY)]
    assert chi_squared([int(x * 2**53) & 1 for x in seen], uniformly((0, 1))) > 1


def test_bits_are_all_as_often_one_as_zero() -> None:
    for k in (1, 7, 64, 65, 128, 1025):
        words = [OURS.getrandbits(k) for _ in range(5000)]
        assert max(words).bit_length() == k
        for bit in {0, k // 2, k - 1}:
            assert chi_squared([word >> bit & 1 for word in words], uniformly((0, 1))) < 1


def test_gauss_is_normal_and_keeps_nothing() -> None:
    normal = statistics.NormalDist(1, 2)
    generator = vgetrandom.SystemRandom()
    assert kolmogorov_smirnov([generator.gauss(1, 2) for _ in range(MANY)], normal.cdf) < 1
    assert generator.gauss_next is None  # type: ignore[attr-defined]


def test_uniform_stays_within_its_bounds() -> None:
    seen = [OURS.uniform(-2, 6.0) for _ in range(MANY)]
    assert kolmogorov_smirnov(seen, lambda x: (x + 2) / 8) < 1
