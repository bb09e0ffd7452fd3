"""``vgetrandom info``: what is in use on this machine, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING

import vgetrandom

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``vgetrandom info``."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print info(); return the exit status 0."""
    fields = {"version": vgetrandom.__version__, **dataclasses.asdict(vgetrandom.info())}
    if args.json:
        print(json.dumps(fields, indent=2))
        return 0
    notes = fields.pop("notes")
    for name, value in fields.items():
        print(f"{name:<16}{value}")
    for note in notes:
        print(textwrap.fill(note, width=88, initial_indent="note: ", subsequent_indent="      "))
    if not notes:
        print("All guarantees hold on this machine.")
    return 0
