# SPDX-License-Identifier: MIT
"""bench/threads_table.py, and which recorded run it is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import readme_table
import recorded
import threads_table
from vgetrandom.bench.measure import FREE_THREADING

FREE_THREADED = "CPython 3.14.5 free-threaded"


def record(results: Path, name: str, date: str, **machine: Any) -> Path:
    """Record a run in which four threads of one peer scale and those of the other do not."""
    times = {
        "random_bytes": {1: 40.0, 2: 20.0, 4: 10.0},
        "ssl.RAND_bytes": {1: 500.0, 2: 700.0, 4: 1000.0},
    }
    rows = [
        {
            "group": "threads",
            "name": f"{peer}, {count} thread{'s' * (count > 1)}",
            "size": size,
            "median": ns,
            "stddev": ns / 20,
        }
        for size in (16, 65536)
        for peer, by_count in times.items()
        for count, ns in by_count.items()
    ]
    described = {
        "date": date,
        "cpu": "a CPU",
        "kernel": "Linux 6.18",
        "libc": "glibc 2.43",
        "python": FREE_THREADED,
        "command": "vgetrandom bench --rigorous --groups threads",
        "complete": True,
        "absent": {},
    }
    path = results / f"{name}.json"
    path.write_text(json.dumps({"machine": described | machine, "results": rows}))
    return path


def test_one_thread_stands_beside_the_most(tmp_path: Path) -> None:
    text = threads_table.make(record(tmp_path, "run", "2026-01-01T00:00:00+00:00"))
    assert text.splitlines()[0] == "| bytes | drawn by | 1 thread | 4 threads | together |"
    assert "| 16 | `random_bytes` | 40.0 ns ± 5 % | 10.0 ns ± 5 % | 4.00 |\n" in text
    assert "|  | `ssl.RAND_bytes` | 500.0 ns ± 5 % | 1,000 ns ± 5 % | 0.50 |\n" in text
    for part in ("2026-01-01", "a CPU, Linux 6.18, glibc 2.43, " + FREE_THREADED, "[run.json]("):
        assert part in text


def test_peers_whose_threads_wait_are_named(tmp_path: Path) -> None:
    path = record(tmp_path, "run", "2026-01-01T00:00:00+00:00")
    told = "Threads of `ssl.RAND_bytes` are together no faster than one at 16 and 64 KiB: CPython"
    text = threads_table.make(path)
    assert told in text
    assert "Threads of `random_bytes`" not in text
    path.write_text(path.read_text().replace("1000.0", "125.0"))
    assert "no faster" not in threads_table.make(path)


def test_the_newest_run_without_a_gil_is_shown(tmp_path: Path) -> None:
    assert recorded.of_threads(tmp_path) is None
    record(tmp_path, "z-older", "2026-01-01T00:00:00+00:00")
    newer = record(tmp_path, "newer", "2026-02-01T00:00:00+00:00")
    assert recorded.of_threads(tmp_path) == newer


@pytest.mark.parametrize(
    "machine",
    [
        {"python": "CPython 3.14.5"},
        {"complete": False},
        {"absent": {FREE_THREADING: "an import turned the GIL on"}},
    ],
)
def test_runs_with_a_gil_and_interrupted_ones_are_passed_over(
    tmp_path: Path, machine: dict[str, Any]
) -> None:
    record(tmp_path, "run", "2026-01-01T00:00:00+00:00", **machine)
    assert recorded.of_threads(tmp_path) is None


def test_runs_on_one_core_are_passed_over(tmp_path: Path) -> None:
    path = record(tmp_path, "run", "2026-01-01T00:00:00+00:00")
    run = json.loads(path.read_text())
    run["results"] = [row for row in run["results"] if row["name"].endswith(" 1 thread")]
    path.write_text(json.dumps(run))
    assert recorded.of_threads(tmp_path) is None


def test_the_table_is_one_of_a_page() -> None:
    root = readme_table.ROOT
    path = recorded.of_threads(root / "bench/results")
    if path is None:
        pytest.skip("no run without a GIL is recorded in bench/results")
    pages = readme_table.pages(root)
    assert pages[root / "docs/benchmarks.md"]["threads"] == threads_table.make(path)
