"""What a run shows and writes: its tables, JSON and CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from .groups import GROUPS, MIB
from .measure import Result
from .peers import BASELINE, OURS
from .table import Table


def human_size(size: int) -> str:
    """A number of bytes as people write it."""
    for unit, name in ((MIB, "MiB"), (1024, "KiB")):
        if size >= 16 * 1024 and size % unit == 0:
            return f"{size // unit} {name}"
    return str(size)


def human_ns(ns: float) -> str:
    """Nanoseconds with as many digits as mean something."""
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
        throughput = ("GB/s",) if group.throughput else ()
        columns = ("bytes", "<", "ns", "±", *throughput, f"x {BASELINE}")
        table = Table(f"{group.name}: {group.title}", columns)
        size = None
        for key, result in ((r.key, r) for r in results if r.key.group == group.name):
            if key.name.startswith(OURS):
                table.strong.add(len(table.rows))
            if key.size != size:
                table.sections.add(len(table.rows))
            base = medians.get(result.baseline)
            table.rows.append(
                (
                    human_size(key.size) if key.size != size else "",
                    key.name,
                    human_ns(result.median),
                    f"{result.stddev / result.median:.0%}",
                    *((f"{key.size / result.median:.3f}",) if throughput else ()),
                    f"{base / result.median:.2f}" if base else "",
                )
            )
            size = key.size
        if table.rows:
            made.append(table)
    return made


def document(machine: dict[str, Any], results: list[Result]) -> dict[str, Any]:
    """What the JSON file holds."""
    return {"machine": machine, "results": [result.as_json() for result in results]}


def write_json(path: Path, machine: dict[str, Any], results: list[Result]) -> None:
    """Write the run with every sample; times are in nanoseconds."""
    path.write_text(json.dumps(document(machine, results), indent=1) + "\n")


def write_csv(path: Path, results: list[Result]) -> None:
    """Write the rows; a cell of samples holds them with spaces between."""
    columns = ("group", "name", "size", "unit", "median", "min", "stddev", "samples")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for result in results:
            row = result.as_json()
            writer.writerow(row | {"samples": " ".join(map(str, row["samples"]))})
