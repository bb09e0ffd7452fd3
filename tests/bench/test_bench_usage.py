# SPDX-License-Identifier: MIT
"""Bad usage of `vgetrandom bench`: a clear message, status 2, and nothing is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.benchmark import SHORT
from vgetrandom.bench import groups

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "0"], "'0' is not a number of bytes from 1 to"),
        (["--sizes", "-1"], "--sizes"),
        (["--sizes", "x"], "'x' is not a number of bytes"),
        (["--sizes", str(groups.MAX_SIZE + 1)], "is not a number of bytes"),
        (["--groups", "nonsense"], "invalid choice: 'nonsense'"),
        (["--quick", "--rigorous"], "not allowed with"),
        (["--plot", "figure.gif"], "must end in .svg or .png"),
        (["--fail-above", "x", "--compare", "a"], "'x' is not a percentage"),
        (["--fail-above", "nan", "--compare", "a"], "'nan' is not a percentage"),
        (["--fail-above", "5"], "--fail-above needs --compare"),
        (["--compare", "missing.json"], "cannot read missing.json: No such file"),
        (["--json", "missing/run.json"], "cannot write missing/run.json: No such file"),
        (["--csv", "."], "cannot write .: Is a directory"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_arguments(bench: Any, arguments: list[str], message: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_figure_needs_a_group_that_has_one(bench: Any) -> None:
    pytest.importorskip("matplotlib")
    done = bench("--groups", "latency", "--plot", "figure.svg")
    assert done.returncode == 2
    assert "needs one of the groups bytes, fill" in done.stderr


def test_a_figure_needs_matplotlib(bench: Any, without: Any) -> None:
    done = bench(*SHORT, "--plot", "figure.svg", **without("matplotlib"))
    assert done.returncode == 2
    assert "pip install" in done.stderr


def test_checking_a_file_leaves_no_trace(bench: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("kept")
    done = bench("--json", "new.json", "--csv", kept, "--compare", "missing.json")
    assert done.returncode == 2
    assert not (tmp_path / "new.json").exists()
    assert kept.read_text() == "kept"


def test_a_full_disk_does_not_lose_the_table(bench: Any) -> None:
    done = bench(*SHORT, "--json", "/dev/full")
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "os.urandom" in done.stdout
