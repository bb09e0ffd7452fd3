# SPDX-License-Identifier: MIT
"""What `vgetrandom bench` measures: every group and every peer that is there, and the machine."""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.benchmark import ROW
from vgetrandom.bench import machine, peers
from vgetrandom.bench.groups import GROUPS


def test_json_has_the_promised_form(whole: dict[str, Any]) -> None:
    assert list(whole) == ["machine", "results"]
    for row in whole["results"]:
        assert list(row) == ROW
        assert row["unit"] == "ns"
        assert row["size"] == (0 if row["call"] else 16)
        assert 0 < row["min"] <= row["median"]
        assert row["stddev"] >= 0
        assert row["samples"]
        assert min(row["samples"]) == row["min"]
    keys = [(row["group"], row["name"], row["size"], row["call"]) for row in whole["results"]]
    assert len(set(keys)) == len(keys)


def test_every_group_is_measured(whole: dict[str, Any]) -> None:
    absent = set(whole["machine"]["absent"])
    peers = {g.name: {peer.name for each in g.functions for peer in each.peers} for g in GROUPS}
    expected = {group for group, names in peers.items() if not names or names - absent}
    assert {row["group"] for row in whole["results"]} == expected


def test_every_peer_has_a_row_or_is_named_absent(whole: dict[str, Any]) -> None:
    named = {row["name"] for row in whole["results"]} | set(whole["machine"]["absent"])
    peers = {peer.name for group in GROUPS for each in group.functions for peer in each.peers}
    assert peers <= named


def test_latency_shows_the_distribution_and_the_refill(whole: dict[str, Any]) -> None:
    medians = {row["name"]: row["median"] for row in whole["results"] if row["group"] == "latency"}
    shown = [medians[f"random_bytes, {case}"] for case in ("median", "p99", "p99.9", "worst")]
    assert shown == sorted(shown)
    assert "random_bytes, refill" in medians


def test_first_use_has_every_event_or_says_why_not(whole: dict[str, Any]) -> None:
    names = {row["name"] for row in whole["results"] if row["group"] == "first-use"}
    for event in ("fresh process", "fresh thread", "after fork", "after a drop"):
        absent = f"first-use, {event}" in whole["machine"]["absent"]
        assert absent != (f"random_bytes, {event}" in names)


def test_threads_go_up_to_the_cores(whole: dict[str, Any]) -> None:
    cores = machine.cores()
    names = {row["name"] for row in whole["results"] if row["group"] == "threads"}
    assert "os.urandom, 1 thread" in names
    assert f"os.urandom, {cores} thread{'s' * (cores > 1)}" in names


def test_machine_describes_what_moves_the_numbers(whole: dict[str, Any]) -> None:
    machine = whole["machine"]
    assert machine["complete"] is True
    assert machine["command"] == "vgetrandom bench --quick --sizes 16"
    assert machine["getrandom"]["os.urandom"]
    assert machine["vgetrandom"]["chacha20"]
    assert {"cpu", "cores", "kernel", "libc", "python", "mitigations", "date"} <= set(machine)


def test_an_interpreter_may_lack_functions_of_os(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyPy 8 has no os.getrandom, older ones no os.sched_getaffinity either.
    monkeypatch.delattr(os, "getrandom", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    described = machine.describe()
    assert described["cores"] == os.cpu_count()
    assert list(described["getrandom"]) == ["os.urandom"]
    (peer,) = (peer for peer in peers.NEW_BYTES if peer.name == "os.getrandom")
    with pytest.raises(peers.AbsentError, match=r"no os\.getrandom"):
        peer.bind(16)
