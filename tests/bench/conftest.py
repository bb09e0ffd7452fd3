# SPDX-License-Identifier: MIT
"""Fixtures: the benchmark as a command, without some of its peers, and one run of all groups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.benchmark import run_bench

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    """Runs `vgetrandom bench` in a directory of the test's own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return run_bench(tmp_path, *arguments, **environment)

    return run


@pytest.fixture
def without(tmp_path: Path) -> Any:
    """Makes modules look as if they were not installed; returns the environment to run with."""

    def hide(*names: str) -> dict[str, str]:
        folder = tmp_path / "hidden"
        folder.mkdir()
        for name in names:
            (folder / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
        return {"PYTHONPATH": str(folder)}

    return hide


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of every group, at one size, writes as JSON."""
    folder = tmp_path_factory.mktemp("whole")
    done = run_bench(folder, "--quick", "--sizes", "16", "--json", "all.json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((folder / "all.json").read_text())
    return document
