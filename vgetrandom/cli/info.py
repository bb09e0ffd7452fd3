# SPDX-License-Identifier: MIT
"""``vgetrandom info``: what is in use on this machine, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING

import vgetrandom
from vgetrandom.cli._statuses import OK

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments.

    Args:
        parser (argparse.ArgumentParser): The command's parser.
    """
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print info().

    Args:
        args (argparse.Namespace): What `add_arguments` parsed.

    Returns:
        int: The exit status 0.
    """
    fields = {"version": vgetrandom.__version__, **dataclasses.asdict(vgetrandom.info())}
    if args.json:
        print(json.dumps(fields, indent=2))
        return OK
    notes = fields.pop("notes")
    for name, value in fields.items():
        print(f"{name:<16}{value}")
    for note in notes:
        print(textwrap.fill(note, width=88, initial_indent="note: ", subsequent_indent="      "))
    if not notes:
        print("All guarantees hold on this machine.")
    return OK
