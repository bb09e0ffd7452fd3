# SPDX-License-Identifier: MIT
"""Tests of distributions; a sound generator misses their bounds less than once in 10**9 runs."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

# The quantile of the normal distribution that is exceeded once in 10**9 times.
SIGMAS = 6.0


def chi_squared_bound(freedom: int) -> float:
    """Return what chi-squared exceeds less than once in 10**9 times (Wilson and Hilferty, 1931)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + SIGMAS * math.sqrt(part)) ** 3


def chi_squared(seen: Iterable[Hashable], expected: Mapping[Hashable, float]) -> float:
    """Return chi-squared divided by its bound: up to 1 is sound.

    Args:
        seen (Iterable[Hashable]): The results.
        expected (Mapping[Hashable, float]): How likely each is; together 1.
    """
    counts = Counter(seen)
    assert set(counts) <= set(expected), f"impossible: {set(counts) - set(expected)}"
    total = counts.total()
    assert min(expected.values()) * total >= 50, "too few for this test"
    statistic = sum(
        (counts[result] - share * total) ** 2 / (share * total)
        for result, share in expected.items()
    )
    return statistic / chi_squared_bound(len(expected) - 1)


def uniformly(results: Sequence[Hashable]) -> dict[Hashable, float]:
    """Expect each result with the same probability."""
    return dict.fromkeys(results, 1 / len(results))


def kolmogorov_smirnov(seen: Iterable[float], distribution: Callable[[float], float]) -> float:
    """Return the largest distance from a distribution divided by its bound: up to 1 is sound.

    The bound is that of Massart (Annals of Probability 18:3, 1990), which holds for every n.
    """
    values = sorted(seen)
    count = len(values)
    distance = 0.0
    for index, value in enumerate(values):
        share = distribution(value)
        distance = max(distance, share - index / count, (index + 1) / count - share)
    return distance / math.sqrt(math.log(2e9) / (2 * count))
