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
    Verdict,
    check,
    defective,
)
from support.ahead import ahead
from support.tools import missing

pytestmark = pytest.mark.skipif(missing(*TOOLS) != "", reason=f"not installed: {missing(*TOOLS)}")


def every_order(bounds: Bounds) -> Verdict:
    return check(MODEL.read_text(), bounds)


@ahead(every_order)
@pytest.mark.parametrize(
    "bounds",
    [Bounds(draws=2, events=4), Bounds(draws=2, events=3, bytes_given=True)],
    ids=["events", "bytes"],
)
def test_no_order_of_events_gives_a_bad_output(bounds: Bounds, done: Verdict) -> None:
    assert done.violation == "", bounds
    assert done.complete
    assert done.states > 100_000


def with_a_defect(name: str) -> Verdict:
    return check(defective(name), Bounds(draws=2, events=3, bytes_given=True))


@ahead(with_a_defect)
@pytest.mark.parametrize("name", DEFECTS)
def test_a_seeded_defect_is_caught(name: str, done: Verdict) -> None:
    assert done.violation, name


def test_no_order_of_memory_accesses_leaves_a_key_without_the_bytes() -> None:
    verdict = check(ORDER.read_text())
    assert verdict.violation == ""
    assert verdict.complete
    assert verdict.states > 1000


def with_a_disorder(name: str) -> Verdict:
    return check(defective(name, ORDER))


@ahead(with_a_disorder)
@pytest.mark.parametrize("name", ORDER_DEFECTS)
def test_a_seeded_disorder_is_caught(name: str, done: Verdict) -> None:
    assert done.violation, name


def test_a_defect_that_no_longer_fits_the_model_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DEFECTS, "nowhere", (("no such text", ""),))
    with pytest.raises(RuntimeError, match="seed the defect anew"):
        defective("nowhere")
