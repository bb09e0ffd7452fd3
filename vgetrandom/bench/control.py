# SPDX-License-Identifier: MIT
"""The control: one function under two names. A run cannot resolve smaller differences."""

from __future__ import annotations

import statistics

from .measure import Key, Result
from .peers import CONTROL, OURS


def differences(medians: dict[Key, float]) -> dict[Key, float]:
    """Compare the rows of the second name with those of the first.

    Args:
        medians: Nanoseconds by row.

    Returns:
        For each row of the first name, how much longer the second took, in percent.
    """
    return {
        key: (medians[again] / medians[key] - 1) * 100
        for again in medians
        if again.name == CONTROL and (key := again._replace(name=OURS)) in medians
    }


def sentence(medians: dict[Key, float]) -> str:
    """Say how much the two names differ; empty if they were not measured."""
    found = sorted(map(abs, differences(medians).values()))
    if not found:
        return ""
    told = f"{OURS} under two names differs by {found[-1]:.1f} %"
    if len(found) == 1:
        return told
    return f"{told} at most, {statistics.median(found):.1f} % in the median"


def without(results: list[Result]) -> list[Result]:
    """Leave the second name out."""
    return [result for result in results if result.key.name != CONTROL]
