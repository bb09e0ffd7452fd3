# SPDX-License-Identifier: MIT
"""What `vgetrandom bench` prints and writes: tables, files, a figure, progress."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from support import commands
from support.benchmark import ROW, SHORT
from vgetrandom.bench import plot, table
from vgetrandom.bench.table import Table

if TYPE_CHECKING:
    from pathlib import Path

# --- tables and files ---


def test_plain_tables_are_aligned() -> None:
    made = Table("title", ("n", "<name"), [("1", "a"), ("1000", "bb")], sections={0, 1})
    assert table.plain(made) == (
        "title\n   n  name\n----  ----\n   1  a\n\n1000  bb\n"  # a blank line separates sections
    )


@pytest.mark.parametrize("through", ["rich", "plain"])
def test_tables_are_aligned_with_rich_and_without(bench: Any, without: Any, through: str) -> None:
    if through == "rich":
        pytest.importorskip("rich")
    done = bench(*SHORT, COLUMNS="20", **({} if through == "rich" else without("rich")))
    assert done.returncode == 0, done.stderr
    rows = [line.rstrip() for line in done.stdout.splitlines() if re.search(r"\d%", line)]
    assert len(rows) >= 4
    assert len({len(row) for row in rows}) == 1
    assert any("os.urandom" in row and row.endswith("1.00") for row in rows)
    assert "…" not in done.stdout


def test_markdown_is_a_table(bench: Any) -> None:
    lines = bench(*SHORT, "--markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == "| bytes |  | ns | ± | GB/s | x os.urandom |"
    assert rows[1] == "| --: | :-- | --: | --: | --: | --: |"
    assert {row.count("|") for row in rows} == {7}


def test_csv_holds_the_same_rows_as_json(bench: Any, tmp_path: Path) -> None:
    done = bench(*SHORT, "--csv", "run.csv", "--json", "run.json")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert list(rows[0]) == ROW
    assert [float(row["median"]) for row in rows] == [row["median"] for row in results]
    assert [float(ns) for ns in rows[0]["samples"].split()] == results[0]["samples"]


@pytest.mark.parametrize("suffix", plot.FORMATS)
def test_a_figure_has_the_digest_of_its_run(bench: Any, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / f"figure{suffix}"
    done = bench(*SHORT, "32", "--plot", figure, "--json", "run.json")
    assert done.returncode == 0, done.stderr
    start = {".svg": b"<?xml", ".png": b"\x89PNG"}[suffix]
    assert figure.read_bytes().startswith(start)
    if suffix == ".svg":
        results = json.loads((tmp_path / "run.json").read_text())["results"]
        assert plot.digest(results) in figure.read_text()


# --- Ctrl-C and progress ---


def test_ctrl_c_prints_what_there_is(tmp_path: Path) -> None:
    terminal, stderr = commands.open_terminal()
    command = commands.command("bench", "--groups", "bytes", "--json", "run.json")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=stderr) as process:
        os.close(stderr)
        told = b""
        # Progress is shown, since standard error is a terminal; the second size has begun.
        while b"[2/13] bytes, 8 bytes" not in told:
            told += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        stdout = process.stdout.read().decode()
        assert process.wait(60) == 130
    os.close(terminal)
    assert re.search(r" 1 +random_bytes ", stdout)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["machine"]["complete"] is False
    assert {row["size"] for row in run["results"]} >= {1}


def test_progress_is_for_terminals_only(bench: Any) -> None:
    assert "[1/" not in bench(*SHORT).stderr
