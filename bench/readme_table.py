# SPDX-License-Identifier: MIT
"""Writes the README's benchmark tables and figure from the newest recorded runs.

usage: python bench/readme_table.py [--check]

Runs are recorded in bench/results/ by bench/record; the newest of each C library is shown, since
that decides how os.urandom reaches the kernel. With --check nothing is written: status 1 says that
README and runs disagree.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blocks import DisagreementError, updated
from vgetrandom.bench import compare, control
from vgetrandom.bench.groups import GROUPS, Group
from vgetrandom.bench.measure import Key
from vgetrandom.bench.peers import BASELINE, OURS, is_ours
from vgetrandom.bench.plot import digest
from vgetrandom.bench.report import human_ns, human_size

ROOT = Path(__file__).resolve().parent.parent
# The README is shown on package indexes too, where relative links lead nowhere.
REPOSITORY = "vgetrandom/vgetrandom"
FILES = f"https://github.com/{REPOSITORY}/blob/main/bench/results"
IMAGES = f"https://raw.githubusercontent.com/{REPOSITORY}/main/bench/results"
SIZES = (16, 32, 64, 256, 4096, 65536, 1 << 20, 16 << 20, 64 << 20)
PEERS = (OURS, BASELINE, "kernel vDSO", "secrets.token_bytes", "ssl.RAND_bytes")


def newest(results: Path) -> list[Path]:
    """Find the newest whole run of the `bytes` group for each C library.

    Args:
        results: The folder of recorded runs.

    Returns:
        Their JSON files, the oldest library first.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for path in results.glob("*.json"):
        run = json.loads(path.read_text())
        machine = run["machine"]
        if machine["complete"] and any(row["group"] == "bytes" for row in run["results"]):
            found.setdefault(machine["libc"], []).append((machine["date"], path.name))
    return [results / max(found[libc])[1] for libc in sorted(found, key=_version)]


def _version(libc: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", libc)]


def _load(path: Path) -> tuple[dict[str, Any], dict[Key, float]]:
    """Read a run's machine and medians.

    Raises:
        DisagreementError: Its figure is missing or was drawn from another run.
    """
    figure = path.with_suffix(".svg")
    rows = json.loads(path.read_text())["results"]
    if not figure.exists() or digest(rows) not in figure.read_text():
        raise DisagreementError(f"{figure.name} was not drawn from {path.name}")
    return compare.load(path)


def _origin(path: Path, machine: dict[str, Any]) -> str:
    where = ", ".join(str(machine[key]) for key in ("cpu", "kernel", "libc", "python"))
    return (
        f"Medians of `{machine['command']}` on {machine['date'][:10]}: {where}. "
        f"Every sample is in [{path.name}]({FILES}/{path.name})."
    )


def bytes_block(paths: list[Path]) -> str:
    """Make the figure, and a table of the `bytes` group for each run.

    Args:
        paths: The JSON files of the runs, an SVG figure beside each.

    Raises:
        DisagreementError: A figure does not belong to its run.
    """
    parts = [f"![Throughput, time per call and ratio over the size]({IMAGES}/{paths[0].stem}.svg)"]
    for path in paths:
        machine, medians = _load(path)
        how = machine["getrandom"][BASELINE]
        how = "over the vDSO" if how == "vDSO" else f"by {how}"
        parts.append(f"`{BASELINE}` reaches the kernel {how} with {machine['libc']}:")
        parts.append(_bytes_table(medians))
        told = control.sentence(medians)
        parts.append(_origin(path, machine) + (f" Control: {told}." if told else ""))
    return "\n\n".join(parts)


def _bytes_table(medians: dict[Key, float]) -> str:
    def median(peer: str, size: int) -> float | None:
        return medians.get(Key("bytes", peer, size))

    sizes = [size for size in SIZES if median(OURS, size)]
    peers = [peer for peer in PEERS if any(median(peer, size) for size in sizes)]
    lines = [
        f"| bytes | {' | '.join(f'`{peer}`' for peer in peers)} | times `{BASELINE}` | again |",
        f"| --: |{' --: |' * len(peers)} --: | :-- |",
    ]
    for size in sizes:
        times = [f"{human_ns(ns)} ns" if (ns := median(peer, size)) else "" for peer in peers]
        ratio = medians[Key("bytes", BASELINE, size)] / medians[Key("bytes", OURS, size)]
        again = f"`vgetrandom bench --groups bytes --sizes {size}`"
        lines.append(f"| {human_size(size)} | {' | '.join(times)} | {ratio:.1f} | {again} |")
    return "\n".join(lines)


def calls_block(paths: list[Path]) -> str:
    """Make the table of the groups without sizes, from the first run that has them.

    Args:
        paths: The JSON files of the runs.
    """
    groups = [group for group in GROUPS if not group.has_sizes]
    for path in paths:
        machine, medians = _load(path)
        lines = [line for group in groups for line in _call_lines(group, medians)]
        if lines:
            head = [
                "| group | call | ours | beside | times | fastest other | times |",
                "| :-- | :-- | --: | --: | --: | --: | --: |",
            ]
            again = "Again: `vgetrandom bench --groups GROUP`."
            return "\n".join([*head, *lines, "", f"{_origin(path, machine)} {again}"])
    return ""


def _call_lines(group: Group, medians: dict[Key, float]) -> Iterator[str]:
    title = f"`{group.name}`"
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
        cells = [title, f"`{function.label}`", f"{human_ns(ours)} ns"]
        cells += _beside(group.baseline, before, ours)
        fastest = min(others, key=others.__getitem__, default="")
        cells += _beside(fastest, others.get(fastest), ours)
        yield f"| {' | '.join(cells)} |"
        title = ""


def _beside(name: str, ns: float | None, ours: float) -> tuple[str, str]:
    return (f"{name} {human_ns(ns)} ns", f"{ns / ours:.1f}") if ns else ("", "")


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check the README of a checkout; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    args = parser.parse_args(arguments)
    runs = newest(root / "bench" / "results")
    if not runs:
        print("no recorded run in bench/results", file=sys.stderr)
        return 1
    readme = root / "README.md"
    try:
        old = readme.read_text()
        new = updated(old, "benchmark", bytes_block(runs))
        calls = calls_block(runs)
        if calls:
            new = updated(new, "calls", calls)
    except DisagreementError as error:
        print(error, file=sys.stderr)
        return 1
    if not args.check:
        readme.write_text(new)
    elif new != old:
        names = " and ".join(run.name for run in runs)
        print(f"the tables are not {names}'s: run bench/readme_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
