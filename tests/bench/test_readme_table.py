"""bench/readme_table.py, and the README of this checkout against its newest recorded run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from vgetrandom.bench import plot

ROOT = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "bench/readme_table.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readme_table = load()


def record(results: Path, name: str, date: str, median: float) -> Path:
    rows = [
        {"group": "bytes", "name": peer, "size": 16, "unit": "ns", "median": ns}
        for peer, ns in (("random_bytes", median), ("os.urandom", 250.0))
    ]
    machine = {
        "date": date,
        "cpu": "a CPU",
        "kernel": "Linux 6.18",
        "libc": "glibc 2.36",
        "python": "CPython 3.11.7",
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
    readme = f"before\n\n{readme_table.BEGIN}\n{readme_table.END}\n\nafter\n"
    (tmp_path / "README.md").write_text(readme)
    return tmp_path


def test_the_newest_run_is_written(checkout: Path) -> None:
    assert readme_table.main(["--check"], checkout) == 1
    assert readme_table.main([], checkout) == 0
    text = (checkout / "README.md").read_text()
    row = "| 16 | 25.0 ns | 250.0 ns | 10.0 | `vgetrandom bench --groups bytes --sizes 16` |"
    assert row in text
    assert "bench/results/newer.svg" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert readme_table.main(["--check"], checkout) == 0


def test_a_changed_number_is_found(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme_table.main([], checkout)
    readme = checkout / "README.md"
    readme.write_text(readme.read_text().replace("25.0 ns", "24.0 ns"))
    assert readme_table.main(["--check"], checkout) == 1
    assert "newer.json" in capsys.readouterr().err


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
    assert readme_table.newest(tmp_path) is None


def test_readme_agrees_with_the_recorded_run() -> None:
    if not readme_table.newest(ROOT / "bench/results"):
        pytest.skip("no run is recorded in bench/results")
    assert readme_table.main(["--check"]) == 0
