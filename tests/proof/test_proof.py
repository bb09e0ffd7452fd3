# SPDX-License-Identifier: MIT
"""The draw protocol's model, within bounds that take seconds; ``make proof`` has wider ones."""

from __future__ import annotations

import pytest

from proof.check import (
    DEFECTS,
    MODEL,
    ORDER,
    ORDER_DEFECTS,
    TOOLS,
    Bounds,
    check,
    defective,
)
from support.tools import missing

pytestmark = pytest.mark.skipif(missing(*TOOLS) != "", reason=f"not installed: {missing(*TOOLS)}")


@pytest.mark.parametrize(
    "bounds",
    [Bounds(draws=2, events=4), Bounds(draws=2, events=3, bytes_given=True)],
    ids=["events", "bytes"],
)
def test_no_order_of_events_gives_a_bad_output(bounds: Bounds) -> None:
    verdict = check(MODEL.read_text(), bounds)
    assert verdict.violation == ""
    assert verdict.complete
    assert verdict.states > 100_000


@pytest.mark.parametrize("name", DEFECTS)
def test_a_seeded_defect_is_caught(name: str) -> None:
    assert check(defective(name), Bounds(draws=2, events=3, bytes_given=True)).violation


def test_no_order_of_memory_accesses_leaves_a_key_without_the_bytes() -> None:
    verdict = check(ORDER.read_text())
    assert verdict.violation == ""
    assert verdict.complete
    assert verdict.states > 1000


@pytest.mark.parametrize("name", ORDER_DEFECTS)
def test_a_seeded_disorder_is_caught(name: str) -> None:
    assert check(defective(name, ORDER)).violation


def test_a_defect_that_no_longer_fits_the_model_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DEFECTS, "nowhere", (("no such text", ""),))
    with pytest.raises(RuntimeError, match="seed the defect anew"):
        defective("nowhere")
