# SPDX-License-Identifier: MIT
"""The runs of the benchmark in bench/results: which are shown, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blocks import DisagreementError
from vgetrandom.bench import compare
from vgetrandom.bench.machine import FREE_THREADED
from vgetrandom.bench.measure import FREE_THREADING, Key
from vgetrandom.bench.plot import digest

# The README is shown on package indexes too, where relative links lead nowhere.
REPOSITORY = "vgetrandom/vgetrandom"
FILES = f"https://github.com/{REPOSITORY}/blob/main/bench/results"


def _whole(results: Path, group: str, case: str = "") -> Iterator[tuple[Path, dict[str, Any]]]:
    """Find the runs that measured a case of a group and were not interrupted.

    Args:
        results: The folder of recorded runs.
        group: The group's name.
        case: How the name of one row at least ends.

    Yields:
        Their JSON files, with what each says of its machine.
    """
    for path in results.glob("*.json"):
        run = json.loads(path.read_text())
        rows = [row for row in run["results"] if row["group"] == group]
        if run["machine"]["complete"] and any(row["name"].endswith(case) for row in rows):
            yield path, run["machine"]


def _newest(found: list[tuple[str, Path]]) -> Path:
    return max(found, key=lambda each: (each[0], each[1].name))[1]


def of_each_libc(results: Path) -> list[Path]:
    """Find the newest run of the `bytes` group for each C library, in CPython with a GIL.

    A call takes longer in other interpreters, which would look like a property of the library.

    Args:
        results: The folder of recorded runs.

    Returns:
        Their JSON files, the oldest library first.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    for path, machine in _whole(results, "bytes"):
        if re.fullmatch(r"CPython \S+", machine["python"]):
            found.setdefault(machine["libc"], []).append((machine["date"], path))
    return [_newest(found[libc]) for libc in sorted(found, key=_version)]


def _version(libc: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", libc)]


def of_threads(results: Path) -> Path | None:
    """Find the newest run of the `threads` group in which the threads had no GIL.

    Args:
        results: The folder of recorded runs.
    """
    found = [
        (machine["date"], path)
        for path, machine in _whole(results, "threads", " threads")  # not on one core
        if machine["python"].endswith(FREE_THREADED) and FREE_THREADING not in machine["absent"]
    ]
    return _newest(found) if found else None


def load(path: Path) -> tuple[dict[str, Any], dict[Key, float]]:
    """Read the machine and medians of a run that has a figure.

    Raises:
        DisagreementError: Its figure is missing or was drawn from another run.
    """
    figure = path.with_suffix(".svg")
    rows = json.loads(path.read_text())["results"]
    if not figure.exists() or digest(rows) not in figure.read_text():
        raise DisagreementError(f"{figure.name} was not drawn from {path.name}")
    return compare.load(path)


def origin(path: Path, machine: dict[str, Any]) -> str:
    """Say what a table was made from."""
    where = ", ".join(str(machine[key]) for key in ("cpu", "kernel", "libc", "python"))
    return (
        f"Medians of `{machine['command']}` on {machine['date'][:10]}: {where}. "
        f"Every sample is in [{path.name}]({FILES}/{path.name})."
    )


def table(titles: list[str], alignments: list[str], lines: list[list[str]]) -> str:
    """Make a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, alignments, *lines))
