# SPDX-License-Identifier: MIT
"""A peer, a function or a group is one entry, from which the benchmark does all the rest."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from vgetrandom.bench import compare, groups, measure, report
from vgetrandom.bench.groups import GROUPS
from vgetrandom.bench.measure import QUICK, Key, Run, plan
from vgetrandom.bench.peers import NEW_BYTES, Call, Function, Peer

if TYPE_CHECKING:
    from pathlib import Path

TINY = replace(QUICK, samples=3, seconds=1e-4)


def measured(names: list[str]) -> Run:
    """Measure groups in this process, at 16 bytes."""
    run = Run()
    measure.measure(plan(names, [16], TINY), TINY, run, lambda _done, _step: None)
    return run


COUNT = Function(
    "count(b'x')",
    (
        Peer("bytes", lambda _size: Call(b"xyz".count, (b"x",))),
        Peer("vgetrandom's", lambda _size: Call(bytearray(b"xyz").count, (b"x",))),
    ),
)


def with_groups(monkeypatch: pytest.MonkeyPatch, *mine: groups.Group) -> None:
    """Have the benchmark know these groups only."""
    monkeypatch.setattr(measure, "GROUPS", mine)
    monkeypatch.setattr(report, "GROUPS", mine)


def test_a_new_peer_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Peer("mine", lambda size: Call(bytes, (size,)))
    group = replace(GROUPS[0], functions=(Function("", (*NEW_BYTES, mine)),))
    with_groups(monkeypatch, group)
    assert Key("bytes", "mine", 16) in measured(["bytes"]).samples


def test_a_new_group_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = groups.Group("mine", "of mine", GROUPS[0].functions, sizes=(16,), quick_sizes=(16,))
    with_groups(monkeypatch, mine)
    run = measured(["mine"])
    assert Key("mine", "os.urandom", 16) in run.samples
    assert [made.title for made in report.tables(run.results())] == ["mine: of mine"]


def test_a_row_may_time_any_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = groups.Group("mine", "of mine", (COUNT,), baseline="bytes")
    with_groups(monkeypatch, mine)
    # --sizes are for groups that have sizes.
    assert [step.label for step in plan(["mine"], [16, 32], TINY)] == ["mine, count(b'x')"]
    run = measured(["mine"])
    keys = [Key("mine", peer.name, 0, "count(b'x')") for peer in COUNT.peers]
    assert list(run.samples) == keys
    (made,) = report.tables(run.results())
    assert made.columns == ("<call", "<", "ns", "±", "x bytes")
    assert [row[:2] for row in made.rows] == [("count(b'x')", "bytes"), ("", "vgetrandom's")]
    assert made.rows[0][-1] == "1.00"
    assert made.strong == {1}
    report.write_json(tmp_path / "run.json", {}, run.results())
    old = compare.load(tmp_path / "run.json")
    assert list(old.medians) == keys
    assert [row[1] for row in compare.table(old, run.results()).rows] == ["count(b'x')"] * 2


def test_a_worker_finds_every_step_again() -> None:
    # It is told group and label, which must stand for one step only.
    labels = [(group.name, each.label) for group in GROUPS for each in group.functions]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_names_tell_rows_apart(group: groups.Group) -> None:
    for function in group.functions:
        names = [peer.name for peer in function.peers]
        assert len(set(names)) == len(names)
        assert group.baseline in names
        # A comma separates name and case.
        assert not [name for name in names if "," in name]


def test_absent_peers_are_named(bench: Any, without: Any) -> None:
    short = ("--quick", "--groups", "bytes", "--sizes", "16")
    done = bench(*short, **without("cryptography", "nacl"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"absent +cryptography ChaCha20: no cryptography here", done.stdout)
    assert re.search(r"absent +PyNaCl: no nacl here", done.stdout)
