# SPDX-License-Identifier: MIT
"""Records of what came of it for each architecture (tests/support/recording.py)."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cross import toolchain
from support import recording

if TYPE_CHECKING:
    import pytest

HOW = "cross-compiled, under qemu's user mode"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --record-targets."""
    parser.addoption(
        "--record-targets", type=Path, metavar="FILE", help="write down what came of each target"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register what writes the record."""
    if path := config.getoption("--record-targets"):
        config.pluginmanager.register(Recorder(config, path))


class Recorder:
    """Counts the results for each target, and writes them down with what a program says there."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config, self._path = config, path
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a result under each target that the test's parameters name."""
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if status[0] in recording.COUNTED:
            for word in re.findall(r"[\w]+", report.nodeid.partition("[")[2]):
                self._counts[word][recording.COUNTED[status[0]]] += 1

    def pytest_sessionfinish(self) -> None:
        """Write the record of the targets of which something passed."""
        with tempfile.TemporaryDirectory() as directory:
            rows = [
                said(target, Path(directory))
                | {name: self._counts[target.name][name] for name in recording.COUNTED.values()}
                for target in toolchain.TARGETS
                if self._counts[target.name]["passed"]
            ]
        if rows:
            recording.write(self._path, command="make test-cross", how=HOW, rows=rows)


def said(target: toolchain.Target, directory: Path) -> dict[str, Any]:
    """Return a row's part that tests/c/report.c says under the emulator."""
    done = toolchain.run(target, toolchain.build(target, "report", directory))
    assert done.returncode == 0, done.stderr
    row = recording.of_report(done.stdout.decode())
    return row | {
        "architecture": target.name,
        "libc": f"musl {musl_version()}",
        "setting": f"{emulator(target)}, {row['setting']}",
        "result": "",
    }


def emulator(target: toolchain.Target) -> str:
    """Name the emulator and its version."""
    command = [toolchain.qemu(target), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"version (\d+\.\d+)", done.stdout)
    return f"qemu-user {found[1]}" if found else "qemu-user"


def musl_version() -> str:
    """Return the version of the musl that Zig brings along, as its source has it."""
    spec = find_spec("ziglang")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "lib/libc/musl/src/internal/version.h"
    found = re.search(r'VERSION "(.+)"', source.read_text())
    assert found
    return found[1]
