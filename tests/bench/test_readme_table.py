# SPDX-License-Identifier: MIT
"""bench/readme_table.py, and the README of this checkout against its newest recorded run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import blocks
import readme_table
import recorded
from vgetrandom.bench import plot
from vgetrandom.bench.groups import Group
from vgetrandom.bench.peers import CONTROL, Call, Function, Peer

ROOT = Path(__file__).resolve().parents[2]


CALLS = (("vgetrandom", 50.0), ("uuid.uuid4", 500.0), ("other", 75.0), ("slower", 100.0))


def record(  # noqa: PLR0913
    results: Path,
    name: str,
    date: str,
    median: float,
    *,
    libc: str = "glibc 2.36",
    python: str = "CPython 3.11.7",
    calls: tuple[tuple[str, float], ...] = CALLS,
) -> Path:
    rows = [
        {"group": "bytes", "name": peer, "size": 16, "unit": "ns", "median": ns}
        for peer, ns in (("random_bytes", median), ("os.urandom", 250.0), (CONTROL, median * 1.02))
    ]
    rows += [
        {"group": "uuid", "name": peer, "size": 0, "call": "uuid4()", "unit": "ns", "median": ns}
        for peer, ns in calls
    ]
    machine = {
        "date": date,
        "cpu": "a CPU",
        "kernel": "Linux 6.18",
        "libc": libc,
        "python": python,
        "getrandom": {"os.urandom": "system call"},
        "command": "vgetrandom bench --rigorous",
        "complete": True,
    }
    path = results / f"{name}.json"
    path.write_text(json.dumps({"machine": machine, "results": rows}))
    path.with_suffix(".svg").write_text(f"<svg>{plot.digest(rows)}</svg>")
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    results = tmp_path / "bench/results"
    results.mkdir(parents=True)
    record(results, "newer", "2026-02-01T00:00:00+00:00", 25.0)
    record(results, "older", "2026-01-01T00:00:00+00:00", 50.0)
    empty = ["\n".join(blocks.markers(name)) for name in ("benchmark", "calls")]
    (tmp_path / "docs").mkdir()
    for page in ("README.md", "docs/benchmarks.md"):
        (tmp_path / page).write_text("\n\n".join(["before", *empty, "after\n"]))
    return tmp_path


def test_the_newest_run_is_written(checkout: Path) -> None:
    assert readme_table.main(["--check"], checkout) == 1
    assert readme_table.main([], checkout) == 0
    text = (checkout / "docs/benchmarks.md").read_text()
    assert "| 16 | 25.0 ns | 250.0 ns | 10.0 |\n" in text
    assert "Control: random_bytes under two names differs by 2.0 %." in text
    short = (checkout / "README.md").read_text()
    assert "| 16 | 25.0 ns | 250.0 ns | 10.0 |\n" in short
    for page in (text, short):
        assert "bench/results/newer.svg" in page
        assert "older" not in page
        assert page.startswith("before\n")
        assert page.endswith("\nafter\n")
    assert readme_table.main(["--check"], checkout) == 0


def test_what_is_faster_is_named(checkout: Path) -> None:
    readme_table.main([], checkout)
    assert "Faster than `random_bytes`: none." in (checkout / "README.md").read_text()
    record(checkout / "bench/results", "newest", "2026-03-01T00:00:00+00:00", 300.0)
    readme_table.main([], checkout)
    assert "Faster than `random_bytes`: `os.urandom` at 16." in (checkout / "README.md").read_text()


def test_the_newest_run_of_each_c_library_is_shown(checkout: Path) -> None:
    results = checkout / "bench/results"
    record(results, "another", "2026-01-01T00:00:00+00:00", 50.0, libc="glibc 2.101")
    assert readme_table.main([], checkout) == 0
    text = (checkout / "docs/benchmarks.md").read_text()
    assert text.index("with glibc 2.36:") < text.index("with glibc 2.101:")
    assert text.index("newer.json") < text.index("another.json")
    assert text.count("Control: ") == 2
    row = "| 16 | 25.0 ns | 250.0 ns | 10.0 | 50.0 ns | 250.0 ns | 5.0 |"
    assert row in (checkout / "README.md").read_text()


def test_calls_are_held_against_the_baseline_and_the_fastest_other(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = tuple(Peer(name, lambda _size: Call(bytes, ())) for name, _ in CALLS)
    group = Group("uuid", "of uuid", (Function("uuid4()", peers),), baseline="uuid.uuid4")
    monkeypatch.setattr(readme_table, "GROUPS", (group,))
    assert readme_table.main([], checkout) == 0
    row = "| `uuid` | `uuid4()` | 50.0 ns | uuid.uuid4 500.0 ns | 10.0 | other 75.0 ns | 1.5 |"
    assert row in (checkout / "docs/benchmarks.md").read_text()
    text = (checkout / "README.md").read_text()
    assert "| `uuid4()` | 50.0 ns | uuid.uuid4 500.0 ns | 10.0 |\n" in text
    assert "slower than what they replace: none." in text


def test_calls_that_are_slower_are_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peers = tuple(Peer(name, lambda _size: Call(bytes, ())) for name, _ in CALLS)
    group = Group("uuid", "of uuid", (Function("uuid4()", peers),), baseline="uuid.uuid4")
    monkeypatch.setattr(readme_table, "GROUPS", (group,))
    slow = (("vgetrandom", 50.0), ("uuid.uuid4", 40.0))
    record(checkout / "bench/results", "newest", "2026-03-01T00:00:00+00:00", 25.0, calls=slow)
    assert readme_table.main([], checkout) == 0
    text = (checkout / "README.md").read_text()
    assert "slower than what they replace: `uuid4()`." in text


def test_a_changed_number_is_found(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("README.md", "docs/benchmarks.md"):
        readme_table.main([], checkout)
        page = checkout / name
        page.write_text(page.read_text().replace("25.0 ns", "24.0 ns"))
        capsys.readouterr()
        assert readme_table.main(["--check"], checkout) == 1
        assert page.name in capsys.readouterr().err


def test_a_figure_of_another_run_is_found(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = checkout / "bench/results"
    (results / "newer.svg").write_text((results / "older.svg").read_text())
    assert readme_table.main([], checkout) == 1
    assert "newer.svg was not drawn from newer.json" in capsys.readouterr().err


def test_missing_markers_are_found(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text("nothing here\n")
    assert readme_table.main([], checkout) == 1
    assert "has no" in capsys.readouterr().err


def test_runs_that_cannot_fill_the_table_are_passed_over(tmp_path: Path) -> None:
    path = record(tmp_path, "interrupted", "2026-01-01T00:00:00+00:00", 25.0)
    run = json.loads(path.read_text())
    run["machine"]["complete"] = False
    path.write_text(json.dumps(run))
    assert recorded.of_each_libc(tmp_path) == []


@pytest.mark.parametrize("python", ["CPython 3.14.5 free-threaded", "PyPy 8.0.1 (Python 3.11.17)"])
def test_other_interpreters_are_not_shown_as_what_a_c_library_does(
    checkout: Path, python: str
) -> None:
    results = checkout / "bench/results"
    record(results, "other", "2026-03-01T00:00:00+00:00", 99.0, python=python)
    record(results, "only", "2026-03-01T00:00:00+00:00", 99.0, python=python, libc="glibc 2.43")
    assert [path.stem for path in recorded.of_each_libc(results)] == ["newer"]


def test_a_run_of_other_groups_is_passed_over(checkout: Path) -> None:
    path = record(checkout / "bench/results", "threads", "2026-03-01T00:00:00+00:00", 25.0)
    run = json.loads(path.read_text())
    run["results"] = [row for row in run["results"] if row["group"] != "bytes"]
    path.write_text(json.dumps(run))
    assert [path.stem for path in recorded.of_each_libc(path.parent)] == ["newer"]


def test_readme_agrees_with_the_recorded_run() -> None:
    if not recorded.of_each_libc(ROOT / "bench/results"):
        pytest.skip("no run is recorded in bench/results")
    assert readme_table.main(["--check"]) == 0
