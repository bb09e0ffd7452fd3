# SPDX-License-Identifier: MIT
"""Writes the benchmark tables and figures of the README and of docs/benchmarks.md.

usage: python bench/readme_table.py [--check]

Runs are recorded in bench/results/ by bench/record; the newest of each C library is shown, since
that decides how os.urandom reaches the kernel, and the newest in which threads had no GIL. The
README has a few rows, docs/benchmarks.md all of them. With --check nothing is written: status 1
says that a page and the runs disagree.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blocks
import recorded
import threads_table
from blocks import DisagreementError, Pages
from vgetrandom.bench import control
from vgetrandom.bench.groups import GROUPS, Group
from vgetrandom.bench.measure import Key
from vgetrandom.bench.peers import BASELINE, OURS, is_ours
from vgetrandom.bench.report import human_ns, human_size

ROOT = Path(__file__).resolve().parent.parent
IMAGES = f"https://raw.githubusercontent.com/{recorded.REPOSITORY}/main/bench/results"
ALL_ROWS = f"https://github.com/{recorded.REPOSITORY}/blob/main/docs/benchmarks.md"
SIZES = (16, 32, 64, 256, 4096, 65536, 1 << 20, 16 << 20, 64 << 20)
AGAIN = "To repeat a row: `vgetrandom bench --groups bytes --sizes SIZE`."
FEW_SIZES = (16, 256, 4096, 65536, 1 << 20)
FEW_CALLS = (
    ("random", "random()"),
    ("secrets", "token_hex(16)"),
    ("uuid", "uuid4()"),
    ("random", "shuffle(1,000 items)"),
    ("numpy", "random(65,536 doubles)"),
)
PEERS = (OURS, BASELINE, "kernel vDSO", "secrets.token_bytes", "ssl.RAND_bytes")


def _figure(path: Path) -> str:
    return f"![Throughput, time per call and ratio over the size]({IMAGES}/{path.stem}.svg)"


def _reach(machine: dict[str, Any]) -> str:
    """Say how os.urandom reached the kernel in a run."""
    how = machine["getrandom"][BASELINE]
    how = "over the vDSO" if how == "vDSO" else f"by {how}"
    return f"{how} with {machine['libc']}"


def few_sizes(paths: list[Path]) -> str:
    """Make the README's figure and table of the `bytes` group: a few sizes, the runs side by side.

    Args:
        paths: The JSON files of the runs, an SVG figure beside each.

    Raises:
        DisagreementError: A figure does not belong to its run.
    """
    runs = [recorded.load(path) for path in paths]
    titles = ["bytes"]
    for machine, _ in runs:
        titles += [f"{machine['libc']}: `{OURS}`", f"`{BASELINE}`", "ratio"]
    lines = []
    for size in FEW_SIZES:
        cells = [human_size(size)]
        for _, medians in runs:
            cells += _beside_ours(medians, size)
        if any(cells[1:]):
            lines.append(cells)
    reached = " and ".join(_reach(machine) for machine, _ in runs)
    told = f"`{BASELINE}` reaches the kernel {reached}."
    where = f"Faster than `{OURS}`: {_faster(runs)}. [All sizes and peers]({ALL_ROWS})."
    table = recorded.table(titles, ["--:"] * len(titles), lines)
    return "\n\n".join([_figure(paths[0]), told, table, f"{where} {_medians(runs)} {AGAIN}"])


def _faster(runs: list[tuple[dict[str, Any], dict[Key, float]]]) -> str:
    """Name the peers that take less time than ours, with the sizes."""
    found: dict[str, list[str]] = {}
    for size in SIZES:
        for peer in PEERS:
            key, ours = Key("bytes", peer, size), Key("bytes", OURS, size)
            if any(key in of and of[key] < of[ours] for _, of in runs):
                found.setdefault(peer, []).append(human_size(size))
    return "; ".join(f"`{peer}` at {', '.join(at)}" for peer, at in found.items()) or "none"


def _beside_ours(medians: dict[Key, float], size: int) -> tuple[str, str, str]:
    ours, theirs = (medians.get(Key("bytes", peer, size)) for peer in (OURS, BASELINE))
    if not (ours and theirs):
        return "", "", ""
    return f"{human_ns(ours)} ns", f"{human_ns(theirs)} ns", f"{theirs / ours:.1f}"


def _medians(runs: list[tuple[dict[str, Any], dict[Key, float]]]) -> str:
    """Say what runs are of, once where they have it in common."""
    machines = [machine for machine, _ in runs]

    def each(values: Iterable[Any]) -> str:
        return " and ".join(dict.fromkeys(str(value) for value in values))

    where = ", ".join(each(of[key] for of in machines) for key in ("cpu", "kernel", "python"))
    dates = each(of["date"][:10] for of in machines)
    return f"Medians of `{machines[0]['command']}` on {dates}: {where}."


def all_sizes(paths: list[Path]) -> str:
    """Make a figure and a table of the `bytes` group for each run, as `few_sizes` is called."""
    parts = []
    for path in paths:
        machine, medians = recorded.load(path)
        parts += [f"`{BASELINE}` reaches the kernel {_reach(machine)}:", _figure(path)]
        parts.append(_bytes_table(medians))
        told = control.sentence(medians)
        told = f" Control: {told}." if told else ""
        parts.append(f"{recorded.origin(path, machine)}{told} {AGAIN}")
    return "\n\n".join(parts)


def _bytes_table(medians: dict[Key, float]) -> str:
    def median(peer: str, size: int) -> float | None:
        return medians.get(Key("bytes", peer, size))

    sizes = [size for size in SIZES if median(OURS, size)]
    peers = [peer for peer in PEERS if any(median(peer, size) for size in sizes)]
    titles = ["bytes", *(f"`{peer}`" for peer in peers), f"ratio to `{BASELINE}`"]
    lines = []
    for size in sizes:
        times = [f"{human_ns(ns)} ns" if (ns := median(peer, size)) else "" for peer in peers]
        lines.append([human_size(size), *times, _beside_ours(medians, size)[2]])
    return recorded.table(titles, ["--:"] * len(titles), lines)


@dataclass(frozen=True)
class Row:
    """One call: what ours takes, what it stands beside, and the fastest of all others."""

    group: str
    call: str
    ours: float
    beside: tuple[str, float] | None
    fastest: tuple[str, float] | None

    def cells(self) -> list[str]:
        """Return the call, our time, and what it stands beside with the ratio."""
        return [f"`{self.call}`", f"{human_ns(self.ours)} ns", *self._against(self.beside)]

    def fastest_cells(self) -> list[str]:
        """Return the fastest other with the ratio."""
        return self._against(self.fastest)

    def _against(self, other: tuple[str, float] | None) -> list[str]:
        if not other:
            return ["", ""]
        name, ns = other
        return [f"{name} {human_ns(ns)} ns", f"{ns / self.ours:.1f}"]


def calls(paths: list[Path]) -> tuple[Path, list[Row]] | None:
    """Read the groups without sizes, from the first run that has them.

    Args:
        paths: The JSON files of the runs.
    """
    for path in paths:
        _, medians = recorded.load(path)
        groups = [group for group in GROUPS if not group.has_sizes]
        rows = [row for group in groups for row in _rows(group, medians)]
        if rows:
            return path, rows
    return None


def _rows(group: Group, medians: dict[Key, float]) -> Iterator[Row]:
    for function in group.functions:
        rows = {
            key.name: ns
            for key, ns in medians.items()
            if (key.group, key.call) == (group.name, function.label)
        }
        ours = min((ns for name, ns in rows.items() if is_ours(name)), default=None)
        others = {name: ns for name, ns in rows.items() if not is_ours(name)}
        if not ours or not others:
            continue
        before = others.pop(group.baseline, None)
        fastest = min(others.items(), key=lambda item: item[1], default=None)
        beside = (group.baseline, before) if before else None
        yield Row(group.name, function.label, ours, beside, fastest)


def all_calls(path: Path, rows: list[Row]) -> str:
    """Make the table of every call, with the fastest of its other peers."""
    titles = ["group", "call", "ours", "instead of", "ratio", "fastest other", "ratio"]
    lines, group = [], ""
    for row in rows:
        title = "" if row.group == group else f"`{row.group}`"
        lines.append([title, *row.cells(), *row.fastest_cells()])
        group = row.group
    table = recorded.table(titles, [":--"] * 2 + ["--:"] * 5, lines)
    machine, _ = recorded.load(path)
    return (
        f"{table}\n\n{recorded.origin(path, machine)} To repeat: `vgetrandom bench --groups GROUP`."
    )


def few_calls(path: Path, rows: list[Row]) -> str:
    """Make the README's table: a few calls, and the names of those that are slower."""
    lines = [row.cells() for each in FEW_CALLS for row in rows if (row.group, row.call) == each]
    table = recorded.table(["call", "ours", "instead of", "ratio"], [":--"] + ["--:"] * 3, lines)
    slower = [f"`{row.call}`" for row in rows if row.beside and row.beside[1] < row.ours]
    told = f"Of {len(rows)} calls that were measured with {recorded.load(path)[0]['libc']}, "
    told += f"slower than what they replace: {', '.join(slower) or 'none'}."
    return f"{table}\n\n{told} To repeat: `vgetrandom bench --groups random secrets uuid numpy`."


def pages(root: Path) -> Pages:
    """Make the blocks of each page of a checkout.

    Raises:
        DisagreementError: There is no run, or its figure is of another.
    """
    results = root / "bench" / "results"
    runs = recorded.of_each_libc(results)
    if not runs:
        raise DisagreementError("no recorded run in bench/results")
    short, whole = {"benchmark": few_sizes(runs)}, {"benchmark": all_sizes(runs)}
    if found := calls(runs):
        short["calls"], whole["calls"] = few_calls(*found), all_calls(*found)
    if threads := recorded.of_threads(results):
        whole["threads"] = threads_table.make(threads)
    return {root / "README.md": short, root / "docs" / "benchmarks.md": whole}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check the pages of a checkout; the exit status."""
    return blocks.main(arguments, __doc__, lambda: pages(root))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
