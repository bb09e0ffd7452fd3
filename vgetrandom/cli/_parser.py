# SPDX-License-Identifier: MIT
"""From the arguments to the command that they name."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

import vgetrandom
from vgetrandom.cli import COMMANDS, _interrupts

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        argv (Sequence[str]): The arguments.

    Returns:
        int: The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="vgetrandom",
        description="Random bytes from a ChaCha20 generator per thread in droppable memory.",
    )
    parser.add_argument(
        "--version", action="version", version=f"vgetrandom {vgetrandom.__version__}"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    chosen = next((argument for argument in argv if argument in COMMANDS), None)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        if name == chosen:
            # The others are not imported: `info` should not wait for the benchmark's modules.
            _interrupts.speak_as(command.prog)
            module = importlib.import_module(f"vgetrandom.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    status: int = args.run(args)
    return status
