# SPDX-License-Identifier: MIT
"""``vgetrandom doctor``: what the running kernel does with droppable memory, as a table or JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from vgetrandom import doctor
from vgetrandom.cli import _interrupts, _streams
from vgetrandom.cli._statuses import FAILED, OK

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from vgetrandom.doctor import Row

_VERDICTS = {True: "yes", False: "NO", None: "-"}


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
        int: the exit status: 0 when the kernel does as documented, 1 when a probe contradicts it
        or nothing could be probed.
    """
    with _interrupts.raised():  # so that the probes undo what they changed
        rows = doctor.diagnose(thorough=args.thorough)
    reason = doctor.untried(rows)
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif not reason:
        print(table(rows, shutil.get_terminal_size((120, 24)).columns))
        print()
        print(doctor.summary(rows))
    if reason:
        _streams.say(f"vgetrandom doctor: error: nothing was probed: {reason}")
        return FAILED
    return FAILED if any(row.ok is False for row in rows) else OK
