# SPDX-License-Identifier: MIT
"""Running the C programs of tests/c, which print figures and complain about what is wrong."""

from __future__ import annotations

import subprocess

from support.libraries import program


def run(name: str, *arguments: object, timeout: float = 240) -> dict[str, int]:
    """Run a program that must succeed; return the figures that it printed."""
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    command = " ".join([name, *map(str, arguments)])
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    pairs = (line.split("=") for line in done.stdout.splitlines())
    return {figure: int(value) for figure, value in pairs}
