# SPDX-License-Identifier: MIT
"""The control: one function under two names, whose difference is what a run cannot tell apart."""

from __future__ import annotations

import statistics

from .measure import Key, Result
from .peers import CONTROL, OURS


def differences(medians: dict[Key, float]) -> dict[Key, float]:
    """Hold the second name's rows against the first's.

    Args:
        medians: Nanoseconds by row.

    Returns:
        By the first name's row, how much more the second took, in percent.
    """
    return {
        key: (medians[again] / medians[key] - 1) * 100
        for again in medians
        if again.name == CONTROL and (key := again._replace(name=OURS)) in medians
    }


def sentence(medians: dict[Key, float]) -> str:
    """Say how far the two names lie apart; empty where they were not measured."""
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
