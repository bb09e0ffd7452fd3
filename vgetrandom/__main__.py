"""The command line: ``vgetrandom`` and ``python -m vgetrandom``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import vgetrandom

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    from vgetrandom.cli import bench, cat, doctor, info

    parser = argparse.ArgumentParser(
        prog="vgetrandom",
        description="Random bytes from a ChaCha20 generator per thread in droppable memory.",
    )
    parser.add_argument(
        "--version", action="version", version=f"vgetrandom {vgetrandom.__version__}"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, module, text in (
        ("bench", bench, "measure it beside os.urandom, the kernel and other generators"),
        ("info", info, "tell what is in use on this machine, and why"),
        ("cat", cat, "write random bytes to standard output"),
        ("doctor", doctor, "probe what the running kernel does with droppable memory"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv (Sequence[str] | None): The arguments; those of the process if None.

    Returns:
        int: The exit status: 0 for success, 2 for bad arguments, others as the commands document.
    """
    args = _parser().parse_args(argv)
    status: int = args.run(args)
    return status


if __name__ == "__main__":
    sys.exit(main())
