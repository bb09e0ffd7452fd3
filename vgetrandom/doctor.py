"""``vgetrandom doctor``: what this kernel does with droppable memory, and gives vgetrandom.

Every property is tried, not looked up. The probes run in child processes; none can hurt the
caller, and none changes anything outside itself: the one that would (a swap file) has to be asked
for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest

from vgetrandom._probes import PROBES, Row

__all__ = ["Row", "add_arguments", "diagnose", "run", "summary", "table"]

_VERDICTS = {True: "yes", False: "NO", None: "-"}


def diagnose(*, thorough: bool = False) -> list[Row]:
    """Probe the running kernel.

    Takes about a second. Safe to call from a process with threads: the probes are forked from a
    fresh interpreter.

    Args:
        thorough (bool): also make, as root and for a moment, a swap file of 32 MiB where the
            machine has no swap.

    Returns:
        list[Row]: a row for each property; one whose probe crashed or hung is not ok and says so.

    Raises:
        OSError: no interpreter could be started.
    """
    # The child finds the same modules as this process does, and none in the working directory (-P).
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "vgetrandom._probes", *(["--thorough"] if thorough else [])],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = {row.name: row for row in (Row(**json.loads(line)) for line in done.stdout.splitlines())}
    last_words = (done.stderr.strip().splitlines() or ["no message"])[-1]
    missing = f"the probes ended early: exit status {done.returncode}, {last_words}"
    return [
        rows.get(each.name, Row(each.name, each.expected, missing, ok=False)) for each in PROBES
    ]


def summary(rows: Sequence[Row]) -> str:
    """Say in one sentence what this machine gives vgetrandom.

    Args:
        rows (Sequence[Row]): from `diagnose`.

    Returns:
        str: the sentence.
    """
    has = {row.name for row in rows if row.ok}
    if "mmap(MAP_DROPPABLE)" in has:
        memory = "droppable memory for its state"
    elif "MADV_WIPEONFORK" in has:
        memory = "wipe-on-fork memory for its state (it can reach swap)"
    else:
        memory = "no memory that is safe for a state (every draw is a system call)"
    keys = "keys from the vDSO" if "vDSO getrandom" in has else "keys by system call"
    watch = "a" if "generation counter" in has else "no"
    gives = f"{memory}, {keys} and {watch} generation counter to watch"
    wrong = ", ".join(row.name for row in rows if row.ok is False)
    but = f", but contradicts what is documented: {wrong}" if wrong else ""
    return f"Linux {os.uname().release} gives vgetrandom {gives}{but}."


def table(rows: Sequence[Row], width: int) -> str:
    """Draw the rows as aligned text.

    Args:
        rows (Sequence[Row]): from `diagnose`.
        width (int): columns of the terminal.

    Returns:
        str: the table, without a final newline.
    """
    cells = [("ok", "property", "expected", "observed")]
    cells += [(_VERDICTS[row.ok], row.name, row.expected, row.observed) for row in rows]
    first, second = (max(len(cell[column]) for cell in cells) for column in (0, 1))
    third = max(24, (width - first - second - 6) * 2 // 5)
    fourth = max(24, width - first - second - third - 6)
    lines = []
    for verdict, name, *long in cells:
        left, right = textwrap.wrap(long[0], third), textwrap.wrap(long[1], fourth)
        for number, (expected, observed) in enumerate(zip_longest(left, right, fillvalue="")):
            start = f"{'' if number else verdict:{first}}  {'' if number else name:{second}}"
            lines.append(f"{start}  {expected:{third}}  {observed}".rstrip())
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser.

    Args:
        parser (argparse.ArgumentParser): of the command ``doctor``.
    """
    parser.add_argument(
        "--json", action="store_true", help="write a list of objects instead of a table"
    )
    parser.add_argument(
        "--thorough",
        action="store_true",
        help="as root, where there is no swap, make a swap file of 32 MiB for a moment",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Args:
        args (argparse.Namespace): with what `add_arguments` added.

    Returns:
        int: the exit status: 0 when the kernel does as documented, 1 when a probe contradicts it.
    """
    rows = diagnose(thorough=args.thorough)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(table(rows, shutil.get_terminal_size((120, 24)).columns))
        print()
        print(summary(rows))
    return int(any(row.ok is False for row in rows))
