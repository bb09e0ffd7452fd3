# SPDX-License-Identifier: MIT
"""The table of threads that draw at once: how many times as fast as one they are together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import recorded
from vgetrandom.bench.report import human_ns, human_size

AGAIN = "To repeat, on a free-threaded interpreter: `vgetrandom bench --groups threads`."

NO_FASTER = 1.1
"""Threads that are together at most so many times as fast as one are said to be no faster."""

REASONS = {
    "ssl.RAND_bytes": "CPython locks the module `_ssl` during the call, so they take turns",
}
"""By peer, why its threads are no faster."""


@dataclass(frozen=True)
class _Pair:
    """A peer at one size: one thread, and the most that were measured, in nanoseconds per draw."""

    size: int
    peer: str
    one: dict[str, float]
    most: dict[str, float]

    @property
    def together(self) -> float:
        return self.one["median"] / self.most["median"]

    def cells(self) -> list[str]:
        """Return what stands in the peer's row after the size."""
        return [f"`{self.peer}`", _time(self.one), _time(self.most), f"{self.together:.2f}"]


def _time(row: dict[str, float]) -> str:
    return f"{human_ns(row['median'])} ns ± {row['stddev'] / row['median'] * 100:.0f} %"


def make(path: Path) -> str:
    """Make the table of a run.

    Args:
        path: Its JSON file.
    """
    run = json.loads(path.read_text())
    found: dict[tuple[int, str], dict[int, dict[str, float]]] = {}
    for row in run["results"]:
        if row["group"] == "threads":
            peer, _, case = row["name"].partition(", ")
            found.setdefault((row["size"], peer), {})[int(case.split()[0])] = row
    most = max(count for counts in found.values() for count in counts)
    pairs = [_Pair(*key, counts[1], counts[most]) for key, counts in found.items()]
    lines, size = [], None
    for pair in pairs:
        lines.append(["" if pair.size == size else human_size(pair.size), *pair.cells()])
        size = pair.size
    titles = ["bytes", "drawn by", "1 thread", f"{most} threads", "together"]
    table = recorded.table(titles, ["--:", ":--", *["--:"] * 3], lines)
    told = [*_no_faster(pairs), f"{recorded.origin(path, run['machine'])} {AGAIN}"]
    return "\n\n".join([table, " ".join(told)])


def _no_faster(pairs: Iterable[_Pair]) -> Iterator[str]:
    """Make a sentence for each peer whose threads wait for each other."""
    sizes: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.together < NO_FASTER:
            sizes.setdefault(pair.peer, []).append(human_size(pair.size))
    for peer, at in sizes.items():
        reason = f": {REASONS[peer]}" if peer in REASONS else ""
        yield f"Threads of `{peer}` are together no faster than one at {' and '.join(at)}{reason}."
