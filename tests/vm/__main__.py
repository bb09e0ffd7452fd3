# SPDX-License-Identifier: MIT
"""Boot every kernel, or clone machines, and print the table of what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import boots, clones, kernels


def _boot_all(only: str, directory: Path, *, verbose: bool) -> bool:
    failed = False
    print(boots.header(boots.COLUMNS), flush=True)
    for boot in boots.BOOTS:
        if only not in f"{boot.kernel} {boot.title}":
            continue
        row = boots.try_to_run(boot, directory)
        print(boots.line(row.cells()), flush=True)
        if verbose:
            print("\n".join(row.said.lines), flush=True)
        failed |= any(not failure.startswith("not tried") for failure in row.failures)
    return failed


def _clone_all(only: str, directory: Path) -> bool:
    failed = False
    print(boots.header(clones.COLUMNS), flush=True)
    for scenario in clones.SCENARIOS:
        if only not in f"{scenario.kernel} {scenario.title}":
            continue
        cells = clones.try_to_clone(scenario, directory)
        print(boots.line(cells), flush=True)
        failed |= cells[-1] != "none" and not cells[-1].startswith("not tried")
    return failed


def _fetch() -> int:
    try:
        print(kernels.get(kernels.Kernel(kernels.NEWEST)))
    except kernels.NotThereError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Return 0 where nothing failed; what could not be had is no failure, and is said."""
    parser = argparse.ArgumentParser(prog="python -m vm", description=__doc__)
    parser.add_argument("what", choices=("boots", "clones", "fetch"))
    parser.add_argument("--only", default="", help="those whose kernel or title contains this")
    parser.add_argument("--verbose", action="store_true", help="all that booted guests said")
    chosen = parser.parse_args()
    if chosen.what == "fetch":
        return _fetch()
    with tempfile.TemporaryDirectory(prefix="vgetrandom-vm-") as directory:
        if chosen.what == "clones":
            return int(_clone_all(chosen.only, Path(directory)))
        return int(_boot_all(chosen.only, Path(directory), verbose=chosen.verbose))


if __name__ == "__main__":
    sys.exit(main())
