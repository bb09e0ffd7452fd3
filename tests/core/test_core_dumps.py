# SPDX-License-Identifier: MIT
"""A core dump has nothing of the states, whoever writes it."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import libraries
from support.conditions import stateful
from support.core import Core

CANARY = 64
KEY = 32
SERVED = 160
TESTS = libraries.ROOT / "tests"
DRAWING = "from core import test_core_dumps as dumped; dumped.draw_and_wait()"


def draw_and_wait() -> None:
    """What the program does that is dumped: draw, tell its secrets, and die when it is told to.

    Key and batch are written straight from their page, so that there is no other copy of them.
    The canary is ordinary memory, which a dump must have.
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    core = Core(libraries.hooked())
    canary = bytearray(os.urandom(CANARY))
    core.draw(SERVED)
    page = int(core.ffi.cast("uintptr_t", core.lib.hook_state()))
    os.write(1, canary)
    # Not by os.write(), which on PyPy makes a copy of what it writes.
    told = KEY + core.layout.batch_bytes
    write = ctypes.CDLL(None).write
    assert write(1, ctypes.c_void_p(page + core.layout.key), ctypes.c_size_t(told)) == told
    os.close(1)
    sys.stdin.readline()
    os.abort()


def dumped_by_the_kernel(process: subprocess.Popen[bytes], directory: Path) -> Path:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or "|" in pattern or not pattern:
        pytest.skip("no core dump can be had: kernel.core_pattern is not a plain file name")
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.wait(60) == -signal.SIGABRT
    core = next(directory.glob("core*"), None)
    return core or pytest.skip("no core dump can be had: its size is limited (RLIMIT_CORE)")


def dumped_by_gdb(process: subprocess.Popen[bytes], directory: Path) -> Path:
    gcore = shutil.which("gcore")
    if gcore is None:
        pytest.skip("gcore (of gdb) is not installed")
    command = [gcore, "-o", str(directory / "gcore"), str(process.pid)]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("gcore (of gdb) may not trace here")
    return directory / f"gcore.{process.pid}"


@stateful
@pytest.mark.parametrize("dump", [dumped_by_the_kernel, dumped_by_gdb])
def test_a_core_dump_has_neither_key_nor_batch(dump: object, tmp_path: Path) -> None:
    assert callable(dump)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", DRAWING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {libraries.BUILT: str(libraries.build()), "PYTHONPATH": str(TESTS)},
    ) as process:
        try:
            assert process.stdout
            secrets = process.stdout.read()
            dumped = dump(process, tmp_path).read_bytes()
        finally:
            process.kill()
    canary, key, batch = secrets[:CANARY], secrets[CANARY:][:KEY], secrets[CANARY + KEY :]
    assert canary in dumped
    assert key not in dumped
    left = batch[SERVED:]  # what was served is zeros
    assert any(left[:16])
    for at in range(0, len(left), 16):
        assert left[at : at + 16] not in dumped
