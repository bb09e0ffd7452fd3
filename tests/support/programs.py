# SPDX-License-Identifier: MIT
"""Running the C programs of tests/c, which print lines of `name=value`, and errors to stderr.

They end with 0 if all went well, and with 77, having said why, where a machine lacks something.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.libraries import program

LACKING = 77


def end(
    which: str | Path, *arguments: object, timeout: float = 240, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; skip the test if the machine lacks what it needs.

    Args:
        which (str | Path): Its name in tests/c, or the path of a copy.
        arguments (object): Its arguments.
        timeout (float): Seconds that it may take.
        options (Any): Others of subprocess.run().
    """
    path = which if isinstance(which, Path) else program(which)
    done = subprocess.run(
        [path, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )
    if done.returncode == LACKING:
        pytest.skip(done.stdout.strip() or f"{path.name} lacks something here")
    return done


def report(which: str | Path, *arguments: object, **options: Any) -> dict[str, list[str]]:
    """Run a program that must succeed; return the values that it said for each name."""
    done = end(which, *arguments, **options)
    command = " ".join([str(which), *map(str, arguments)])
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    said: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        said.setdefault(name, []).append(value)
    return said


def figures(which: str | Path, *arguments: object, **options: Any) -> dict[str, int]:
    """Run a program that must succeed; return the number that it said for each name."""
    return {name: int(value) for name, (value,) in report(which, *arguments, **options).items()}
