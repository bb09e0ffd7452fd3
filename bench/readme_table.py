"""Writes the README's benchmark table and figure from the newest recorded run.

usage: python bench/readme_table.py [--check]

Runs are recorded in bench/results/ with `vgetrandom bench --rigorous --json NAME.json --plot
NAME.svg`. With --check nothing is written: status 1 says that README and run disagree.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vgetrandom.bench.peers import BASELINE, OURS
from vgetrandom.bench.plot import digest
from vgetrandom.bench.report import human_ns, human_size

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
SIZES = (16, 32, 64, 256, 4096, 65536, 1 << 20)
PEERS = (OURS, BASELINE, "kernel vDSO", "secrets.token_bytes", "ssl.RAND_bytes")


class DisagreementError(Exception):
    """README, run and figure do not belong together; the message says how."""


def newest(results: Path) -> Path | None:
    """Find the newest whole run of the `bytes` group.

    Args:
        results: The folder of recorded runs.

    Returns:
        Its JSON file, or None where no run is recorded.
    """
    dates = {}
    for path in results.glob("*.json"):
        run = json.loads(path.read_text())
        if run["machine"]["complete"] and any(row["group"] == "bytes" for row in run["results"]):
            dates[path] = run["machine"]["date"]
    return max(dates, key=lambda path: (dates[path], path.name), default=None)


def block(path: Path) -> str:
    """Make what stands between the README's markers.

    Args:
        path: The JSON file of a run, its SVG figure beside it.

    Raises:
        DisagreementError: The figure is missing or was drawn from another run.
    """
    run: dict[str, Any] = json.loads(path.read_text())
    figure = path.with_suffix(".svg")
    if not figure.exists() or digest(run["results"]) not in figure.read_text():
        raise DisagreementError(f"{figure.name} was not drawn from {path.name}")
    machine = run["machine"]
    medians = {
        (row["name"], row["size"]): row["median"]
        for row in run["results"]
        if row["group"] == "bytes"
    }
    sizes = [size for size in SIZES if (OURS, size) in medians]
    peers = [peer for peer in PEERS if any((peer, size) in medians for size in sizes)]
    lines = [
        f"![Throughput, time per call and ratio over the size](bench/results/{figure.name})",
        "",
        f"| bytes | {' | '.join(f'`{peer}`' for peer in peers)} | times `{BASELINE}` | again |",
        f"| --: |{' --: |' * len(peers)} --: | :-- |",
    ]
    for size in sizes:
        times = [
            f"{human_ns(medians[peer, size])} ns" if (peer, size) in medians else ""
            for peer in peers
        ]
        ratio = medians[BASELINE, size] / medians[OURS, size]
        again = f"`vgetrandom bench --groups bytes --sizes {size}`"
        lines.append(f"| {human_size(size)} | {' | '.join(times)} | {ratio:.1f} | {again} |")
    where = ", ".join(str(machine[key]) for key in ("cpu", "kernel", "libc", "python"))
    how = "; ".join(f"`{name}` by {how}" for name, how in machine["getrandom"].items())
    lines += [
        "",
        f"Medians of `{machine['command']}` on {machine['date'][:10]}: {where}. {how}.",
        f"Every sample is in [{path.name}](bench/results/{path.name}).",
    ]
    return "\n".join(lines)


def updated(readme: str, inner: str) -> str:
    """Put the block between the markers of a README.

    Raises:
        DisagreementError: The markers are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DisagreementError(f"the README has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{inner}\n{END}{after}"


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check the README of a checkout; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    args = parser.parse_args(arguments)
    run = newest(root / "bench" / "results")
    if not run:
        print("no recorded run in bench/results", file=sys.stderr)
        return 1
    readme = root / "README.md"
    try:
        old = readme.read_text()
        new = updated(old, block(run))
    except DisagreementError as error:
        print(error, file=sys.stderr)
        return 1
    if not args.check:
        readme.write_text(new)
    elif new != old:
        print(f"the table is not {run.name}'s: run bench/readme_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
