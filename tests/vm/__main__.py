# SPDX-License-Identifier: MIT
"""Boot every kernel, or clone machines, and print the table of what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import boots, clones, kernels
from .records import Run


def _boot_all(only: str, directory: Path, run: Run, *, verbose: bool) -> bool:
    failed = False
    run.show(boots.header(boots.COLUMNS))
    for boot in boots.BOOTS:
        if only not in f"{boot.kernel} {boot.title}":
            continue
        row = boots.try_to_run(boot, directory)
        run.show(boots.line(row.cells()), row.record())
        if verbose:
            print("\n".join(row.said.lines), flush=True)
        failed |= any(not failure.startswith(boots.NOT_TRIED) for failure in row.failures)
    return failed


def _clone_all(only: str, directory: Path, run: Run) -> bool:
    failed = False
    run.show(boots.header(clones.COLUMNS))
    for scenario in clones.SCENARIOS:
        if only not in f"{scenario.kernel} {scenario.title}":
            continue
        cells = clones.try_to_clone(scenario, directory)
        run.show(boots.line(cells))
        failed |= cells[-1] != "none" and not cells[-1].startswith(boots.NOT_TRIED)
    return failed


def _fetch() -> int:
    try:
        print(kernels.get(kernels.Kernel(kernels.NEWEST)))
    except kernels.NotThereError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Return 0 where nothing failed; what could not be had is no failure, and is said."""
    parser = argparse.ArgumentParser(prog="python -m vm", description=__doc__)
    parser.add_argument("what", choices=("boots", "clones", "fetch"))
    parser.add_argument("--only", default="", help="those whose kernel or title contains this")
    parser.add_argument("--verbose", action="store_true", help="all that booted guests said")
    parser.add_argument(
        "--record", type=Path, metavar="DIRECTORY", help="write what came of all of them there"
    )
    chosen = parser.parse_args(arguments)
    if chosen.record and chosen.only:
        parser.error("--record is of all of them, not with --only")
    if chosen.what == "fetch":
        return _fetch()
    run = Run(chosen.what)
    with tempfile.TemporaryDirectory(prefix="vgetrandom-vm-") as directory:
        if chosen.what == "clones":
            failed = _clone_all(chosen.only, Path(directory), run)
        else:
            failed = _boot_all(chosen.only, Path(directory), run, verbose=chosen.verbose)
    if chosen.record:
        run.record(chosen.record)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
