# SPDX-License-Identifier: MIT
"""Running `vgetrandom bench`, and what the rows of its results are made of."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from support import commands

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("--quick", "--groups", "fill", "--sizes", "16")
"""The group that has the fewest peers to import, and so takes the least time."""

ROW = ["group", "name", "size", "call", "unit", "median", "min", "stddev", "samples"]
"""The columns of a result, in JSON and CSV."""


def run_bench(
    folder: Path, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the benchmark to its end, in a folder, with more in its environment."""
    return subprocess.run(
        commands.command("bench", *map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * commands.PATIENCE,
        cwd=folder,
        env=os.environ | environment,
    )
