# SPDX-License-Identifier: MIT
"""Compares a run with an older one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from .measure import Key, Result
from .report import human_ns, what
from .table import Table


class Old(NamedTuple):
    """An older run: its machine, and nanoseconds by row."""

    machine: dict[str, Any]
    medians: dict[Key, float]


def _key(row: dict[str, Any]) -> Key:
    # c_bench has no calls to name.
    return Key(row["group"], row["name"], row["size"], row.get("call", ""))


def load(path: Path) -> Old:
    """Read what `--json` wrote.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not one that `--json` wrote.
    """
    try:
        document = json.loads(path.read_text())
        rows = document["results"]
        medians = {_key(row): float(row["median"]) for row in rows}
        return Old(dict(document["machine"]), medians)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a run that --json wrote ({type(error).__name__}: {error})") from None


def other_machine(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List the differences between two machines that alone change the figures."""
    keys = ("cpu", "cores", "kernel", "libc", "python")
    return [f"{key}: {old.get(key)} -> {new[key]}" for key in keys if old.get(key) != new[key]]


def changes(old: Old, results: list[Result]) -> dict[Key, float]:
    """The change of each row that both runs have, in percent; above 0 is slower."""
    return {
        result.key: (result.median / old.medians[result.key] - 1) * 100
        for result in results
        if old.medians.get(result.key)
    }


def table(old: Old, results: list[Result]) -> Table:
    """Show old and new side by side, including rows that only one run has."""
    change = changes(old, results)
    new = {result.key: result.median for result in results}
    made = Table("change since the older run", ("<", "<", "<", "old ns", "new ns", "change"))
    for key in dict.fromkeys([*new, *old.medians]):
        only = "only new" if key in new else "only old"
        made.rows.append(
            (
                key.group,
                what(key),
                key.name,
                human_ns(old.medians[key]) if key in old.medians else "",
                human_ns(new[key]) if key in new else "",
                f"{change[key]:+.1f} %" if key in change else only,
            )
        )
    return made
