# SPDX-License-Identifier: MIT
"""--compare and --fail-above: a run beside an older one, and which changes fail it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from support.benchmark import SHORT
from vgetrandom.bench import compare
from vgetrandom.bench.measure import Key, Result

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def older(whole: dict[str, Any], tmp_path: Path) -> Any:
    """Writes a run whose medians are those of another, times a factor."""

    def write(factor: float, group: str = "fill") -> Path:
        rows = [
            row | {"median": row["median"] * factor, "group": group} for row in whole["results"]
        ]
        path = tmp_path / "older.json"
        path.write_text(json.dumps(whole | {"results": rows}))
        return path

    return write


def test_compare_shows_each_change(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(1000), "--fail-above", "50")
    assert done.returncode == 0, done.stderr
    assert re.search(r"os\.urandom +[\d,]+.* +[\d,.]+ +-(99|100)\.\d %", done.stdout)


def test_a_slower_row_fails(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(0.001), "--fail-above", "50")
    assert done.returncode == 1
    assert "slower: fill 16 os.urandom" in done.stderr


def test_a_slower_row_is_only_shown_where_no_limit_is_set(bench: Any, older: Any) -> None:
    assert bench(*SHORT, "--compare", older(0.001)).returncode == 0


def test_a_limit_on_nothing_is_bad_usage(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(1, group="other"), "--fail-above", "50")
    assert done.returncode == 2
    assert "no row in common" in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": {}, "results": [{}]}'])
def test_a_file_that_is_no_run_is_refused(bench: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "old.json").write_text(text)
    done = bench("--compare", "old.json")
    assert done.returncode == 2
    assert "not a run that --json wrote" in done.stderr


def test_rows_of_one_run_only_are_named() -> None:
    old = compare.Old({}, {Key("bytes", "gone", 16): 1.0, Key("bytes", "both", 16): 50.0})
    new = [Result(Key("bytes", name, 16), (ns,)) for name, ns in (("new", 1.0), ("both", 100.0))]
    made = compare.table(old, new)
    changes = {row[2]: row[-1] for row in made.rows}
    assert changes == {"new": "only new", "both": "+100.0 %", "gone": "only old"}
