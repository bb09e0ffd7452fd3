# SPDX-License-Identifier: MIT
"""The labels of the figure's axes."""

from __future__ import annotations

import pytest

from vgetrandom.bench import plot


def test_sizes_that_lie_close_have_one_label() -> None:
    assert plot.size_labels([1, 8, 16, 32, 64, 256]) == ["1", "8", "", "32", "", "256"]


@pytest.mark.parametrize(
    ("ns", "label"),
    [
        (0.1, "0.1 ns"),
        (100, "100 ns"),
        (1_000, "1 µs"),
        (10_000_000, "10 ms"),
        (100_000_000_000, "100 s"),
    ],
)
def test_durations(ns: float, label: str) -> None:
    assert plot.duration(ns) == label
