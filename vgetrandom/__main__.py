# SPDX-License-Identifier: MIT
"""The command line: ``vgetrandom`` and ``python -m vgetrandom``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv (Sequence[str] | None): The arguments; those of the process if None.

    Returns:
        int: The exit status: 0 for success, 2 for bad arguments, others as docs/command-line.md
        lists them.

    Raises:
        SystemExit: The arguments are bad, or only help was asked for.
    """
    from vgetrandom.cli import _parser

    return _parser.run(sys.argv[1:] if argv is None else argv)


def console() -> None:
    """Run one command as a program, which owns its streams, signals and exit status."""
    try:
        from vgetrandom.cli import _interrupts

        _interrupts.install()
    except KeyboardInterrupt:
        os.write(2, b"vgetrandom: interrupted\n")
        os._exit(130)
    from vgetrandom.cli import _program

    sys.exit(_program.run(main))


if __name__ == "__main__":
    console()
