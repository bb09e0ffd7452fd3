# SPDX-License-Identifier: MIT
"""Writes the support tables of the README and of docs/support.md from the recorded runs.

usage: python bench/support_table.py [--check]

Runs are recorded in docs/recorded/support/: the suite by `pytest --record=FILE`, booted kernels by
`make test-vm`, cross-compiled cores by `make test-cross`. The README has one row for what was
found alike, docs/support.md all that was recorded. With --check nothing is written: status 1 says
that a page and the records disagree.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import blocks
from blocks import Pages

ROOT = Path(__file__).resolve().parent.parent
RECORDS = Path("docs/recorded/support")

Row = dict[str, Any]

# Of the README: title, and what of a row it shows.
SHORT = ("kernel", "architecture", "libc", "interpreter", "memory", "entropy", "watch", "clones")
# In which values of this order may stand in one cell, where rows have all else in common.
MERGED = ("interpreter", "architecture", "kernel")
LONG = {
    "kernel": "kernel",
    "architecture": "architecture",
    "libc": "libc",
    "compiler": "compiler",
    "interpreter": "interpreter",
    "setting": "setting",
    "memory": "memory",
    "entropy": "entropy",
    "watch": "watch",
    "clones": "clones",
    "chacha20": "ChaCha20",
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "result": "result",
    "date": "date",
}
FIRST_ARCHITECTURES = ("x86_64", "aarch64")


def load(folder: Path) -> list[Row]:
    """Read what was recorded, the newest kernel first.

    Args:
        folder: The folder of records.

    Returns:
        Their rows, each with its record's `how` and `date`. Of what was recorded twice
        of one combination the newer.
    """
    rows: dict[tuple[str, ...], Row] = {}
    found = []
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        run = {key: record[key] for key in ("how", "date")}
        found += [row | run for row in record["rows"]]
    same = ("kernel", "libc", "architecture", "page", "interpreter", "compiler", "setting", "how")
    for row in sorted(found, key=lambda row: str(row["date"])):
        rows[tuple(str(row[key]) for key in same)] = _presented(row)
    return sorted(rows.values(), key=_place)


def _presented(row: Row) -> Row:
    """Return the row with cells as a reader wants them."""
    architecture = row["architecture"]
    if row["page"] != 4096:
        architecture += f" ({row['page'] // 1024} KiB pages)"
    return row | {
        "architecture": architecture,
        "interpreter": row["interpreter"] or "C alone",
        "failed": row["failed"] + row["errors"],
    }


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _place(row: Row) -> tuple[Any, ...]:
    """Return what orders rows."""
    architecture = row["architecture"]
    known = [architecture.startswith(name) for name in FIRST_ARCHITECTURES]
    return (
        [-number for number in _numbers(row["kernel"])[:3]],
        known.index(True) if any(known) else len(known),
        architecture,
        row["libc"].split()[0],
        _numbers(row["libc"]),
        row["interpreter"].split()[0],
        _numbers(row["interpreter"]),
        row["how"],
        row["setting"],
    )


def short_table(rows: list[Row]) -> str:
    """Make the README's table: what is alike in one row.

    Rows with an unusual setting are for docs/support.md, unless there is no other of that place.
    """

    def place(row: Row) -> list[str]:
        return [row[key] for key in ("kernel", "libc", "architecture", "interpreter")]

    usual = [place(row) for row in rows if not row["setting"]]
    cells = []
    for row in rows:
        if row["setting"] and place(row) in usual:
            continue
        found = re.match(r"\d+(?:\.\d+)*", row["kernel"])
        tested = row["how"]
        tested += f" ({row['setting']})" if row["setting"] else ""
        tested += f": **{row['failed']} failed**" if row["failed"] else ""
        shown = {key: [row[key]] for key in SHORT} | {"tested": [tested], "when": [row["date"]]}
        cells.append(shown | {"kernel": [found[0] if found else row["kernel"]]})
    for key in MERGED:
        cells = _merged(cells, key)
    lines = [[*(_cell(key, row[key]) for key in (*SHORT, "tested")), _when(row)] for row in cells]
    return _table([*SHORT, "tested", "when"], lines)


def _merged(rows: list[dict[str, list[str]]], key: str) -> list[dict[str, list[str]]]:
    """Make one row of those that differ in one column, and in when they were tested."""
    merged: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        alike = repr([value for name, value in row.items() if name not in (key, "when")])
        if alike not in merged:
            merged[alike] = {name: list(values) for name, values in row.items()}
            continue
        for name in (key, "when"):
            known = merged[alike][name]
            known += [value for value in row[name] if value not in known]
    return list(merged.values())


def _cell(key: str, values: list[str]) -> str:
    """Join values; interpreters of one name say it once."""
    if key != "interpreter":
        return ", ".join(values)
    names: dict[str, list[str]] = {}
    for value in values:
        name, _, version = value.partition(" ")
        names.setdefault(name, []).append(version)
    return "; ".join(f"{name} {', '.join(versions)}" for name, versions in names.items())


def _when(row: dict[str, list[str]]) -> str:
    first, last = min(row["when"]), max(row["when"])
    return first if last == first else f"{first} to {last}"


def long_tables(rows: Iterable[Row]) -> str:
    """Make a table of each kind of run; what all its rows have in common stands above it."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["how"], []).append(row)
    parts = []
    for how in sorted(runs, key=lambda how: (how != "whole suite", how)):
        alike = [key for key in LONG if len(runs[how]) > 2 and _alike(runs[how], key)]
        common = [f"{LONG[key]} {runs[how][0][key]}" for key in alike if runs[how][0][key] != ""]
        shown = {
            key: title
            for key, title in LONG.items()
            if key not in alike and any(row[key] != "" for row in runs[how])
        }
        lines = [[str(row[key]) for key in shown] for row in runs[how]]
        parts.append(f"## `{how}`" if "/" in how.split()[0] else f"## {how[0].upper()}{how[1:]}")
        parts += [f"In all rows: {', '.join(common)}."] if common else []
        parts.append(_table(list(shown.values()), lines))
    return "\n\n".join(parts)


def _alike(rows: list[Row], key: str) -> bool:
    return len({row[key] for row in rows}) == 1


def _table(titles: list[str], lines: list[list[str]]) -> str:
    rows = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def pages(root: Path) -> Pages:
    """Make the blocks of each page of a checkout."""
    rows = load(root / RECORDS)
    return {
        root / "README.md": {"support": short_table(rows)},
        root / "docs" / "support.md": {"support": long_tables(rows)},
    }


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check the pages of a checkout; the exit status."""
    return blocks.main(arguments, __doc__, lambda: pages(root))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
