# SPDX-License-Identifier: MIT
"""The output of a run: tables, JSON and CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from .groups import GROUPS, MIB, Group
from .measure import Key, Result
from .peers import is_ours
from .table import Table


def human_size(size: int) -> str:
    """Format a number of bytes for people."""
    for unit, name in ((MIB, "MiB"), (1024, "KiB")):
        if size >= 16 * 1024 and size % unit == 0:
            return f"{size // unit} {name}"
    return str(size)


def human_ns(ns: float) -> str:
    """Format nanoseconds with only meaningful digits."""
    return f"{ns:,.1f}" if ns < 1000 else f"{ns:,.0f}"


def tables(results: list[Result]) -> list[Table]:
    """Make a table of each group.

    Args:
        results: What was measured.

    Returns:
        A table for each group that has a row, in the order of GROUPS.
    """
    medians = {result.key: result.median for result in results}
    made = []
    for group in GROUPS:
        rows = [result for result in results if result.key.group == group.name]
        if rows:
            made.append(_table(group, rows, medians))
    return made


def what(key: Key) -> str:
    """The label of a row's function, or the size that it is called with."""
    return key.call or human_size(key.size)


def _table(group: Group, rows: list[Result], medians: dict[Key, float]) -> Table:
    throughput = ("GB/s",) if group.throughput else ()
    first = "bytes" if group.has_sizes else "<call"
    columns = (first, "<", "ns", "±", *throughput, f"x {group.baseline}")
    table = Table(f"{group.name}: {group.title}", columns)
    before = ""
    for result in rows:
        key = result.key
        if is_ours(key.name):
            table.strong.add(len(table.rows))
        if what(key) != before:
            table.sections.add(len(table.rows))
        base = medians.get(result.beside(group.baseline))
        table.rows.append(
            (
                what(key) if what(key) != before else "",
                key.name,
                human_ns(result.median),
                f"{result.stddev / result.median:.0%}",
                *((f"{key.size / result.median:.3f}",) if throughput else ()),
                f"{base / result.median:.2f}" if base else "",
            )
        )
        before = what(key)
    return table


def document(machine: dict[str, Any], results: list[Result]) -> dict[str, Any]:
    """What the JSON file holds."""
    return {"machine": machine, "results": [result.as_json() for result in results]}


def write_json(path: Path, machine: dict[str, Any], results: list[Result]) -> None:
    """Write the run with every sample, one row per line; times are in nanoseconds."""
    rows = ",\n".join(f"  {json.dumps(result.as_json())}" for result in results)
    head = json.dumps(machine, indent=1).replace("\n", "\n ")
    path.write_text(f'{{\n "machine": {head},\n "results": [\n{rows}\n ]\n}}\n')


def write_csv(path: Path, results: list[Result]) -> None:
    """Write the rows; samples are separated by spaces within their cell."""
    columns = ("group", "name", "size", "call", "unit", "median", "min", "stddev", "samples")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for result in results:
            row = result.as_json()
            writer.writerow(row | {"samples": " ".join(map(str, row["samples"]))})
