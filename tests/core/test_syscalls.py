# SPDX-License-Identifier: MIT
"""How often the kernel is asked: strace's count, and that stats() tells the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vgetrandom

DRAWS = 100_000
PROGRAM = """
import sys, vgetrandom
for _ in range(int(sys.argv[1])):
    vgetrandom.random_bytes(16)
print(vgetrandom.stats().syscalls)
"""
stateful = pytest.mark.skipif(
    vgetrandom.info().memory == "none", reason="no states: every request is a system call"
)


@stateful
def test_stats_counts_few() -> None:
    before = vgetrandom.stats()
    for _ in range(DRAWS):
        vgetrandom.random_bytes(16)
    after = vgetrandom.stats()
    assert after.syscalls - before.syscalls < 100
    batches = DRAWS * 16 // vgetrandom.info().batch_bytes
    assert batches <= after.refills - before.refills < 2 * batches
    if vgetrandom.info().kernel_entropy == "vdso":
        assert after.syscalls - before.syscalls < batches / 4


def counted_by_strace(draws: int, strace: str, log: Path) -> tuple[int, int]:
    """Calls of getrandom by a program that draws so often: strace's count, and its own."""
    options = ["-f", "-c", "-e", "trace=getrandom", "-o", str(log)]
    command = [strace, *options, sys.executable, "-c", PROGRAM, str(draws)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    # time, seconds, calls of so many microseconds, calls, (errors,) name
    row = r"^ *\S+ +\S+ +\S+ +(\d+) +(?:\d+ +)?getrandom$"
    line = re.search(row, log.read_text(), re.MULTILINE)
    return int(line.group(1)) if line else 0, int(done.stdout)


@stateful
def test_strace_counts_few_and_as_many_as_stats(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    python_alone, none = counted_by_strace(0, strace, tmp_path / "without")
    all_of_them, ours = counted_by_strace(DRAWS, strace, tmp_path / "with")
    assert none == 0
    assert all_of_them < 100
    # The vDSO keys itself by the system call, once and whenever the kernel reseeds.
    by_the_vdso = all_of_them - python_alone - ours
    assert 0 <= by_the_vdso <= (5 if vgetrandom.info().kernel_entropy == "vdso" else 0)
    assert ours > 0
