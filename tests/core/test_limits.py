# SPDX-License-Identifier: MIT
"""The suite's core part under everything that the environment can take away or force."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from support.ahead import ahead
from support.libraries import BUILT, ROOT, build, chacha20_sets
from vgetrandom import info

HERE = Path(__file__).parent
FILES = [f"test_{name}.py" for name in ("fork", "drop", "threads", "signal")]
CORE = ["test_protocol.py", "test_failing_kernel.py"]
NAMES = ("VGETRANDOM_MEMORY", "VGETRANDOM_WATCH", "VGETRANDOM_VDSO", "VGETRANDOM_CHACHA20")

COMBINATIONS = [
    {name: value for name, value in zip(NAMES, values, strict=False) if value}
    for values in product(("", "wipe-on-fork", "none"), ("", "off"), ("", "off"))
][1:]


def takes_no_more(limits: dict[str, str]) -> bool:
    """Whether one of the limits takes away what is gone by another, as info() tells below.

    Without the vDSO there is no generation in it to watch, and without states neither has a use.
    With all three the suite is run all the same.
    """
    if limits.get("VGETRANDOM_MEMORY") == "none":
        return len(limits) == 2
    return {"VGETRANDOM_WATCH", "VGETRANDOM_VDSO"} <= limits.keys()


DIFFERENT = [limits for limits in COMBINATIONS if not takes_no_more(limits)]
FORCED = [
    {"VGETRANDOM_CHACHA20": name}
    for name in chacha20_sets(supported=True)
    if name != info().chacha20
]

pytestmark = pytest.mark.skipif(
    any(name in os.environ for name in NAMES), reason="this is the suite under a limit"
)


def run(limits: dict[str, str]) -> subprocess.CompletedProcess[str]:
    files = [*FILES, *(CORE if limits in FORCED else [])]
    command = [sys.executable, "-P", "-m", "pytest", "--quick", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}", *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=HERE,
        env=os.environ | limits | {BUILT: str(build())},
    )


def named(limits: dict[str, str]) -> str:
    return ",".join(f"{name[11:].lower()}={value}" for name, value in limits.items())


@ahead(run)
@pytest.mark.parametrize("limits", [*DIFFERENT, *FORCED], ids=named)
def test_suite(limits: dict[str, str], done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, (limits, done.stdout)
    assert " passed" in done.stdout


PROGRAM = "import vgetrandom; print(vgetrandom.info())"


@pytest.mark.parametrize("limits", [*COMBINATIONS, *FORCED], ids=named)
def test_info_tells_what_is_taken_away(limits: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env=os.environ | limits,
    )
    memory = limits.get("VGETRANDOM_MEMORY", info().memory)
    assert f"memory='{memory}'" in done.stdout
    if limits.keys() & {"VGETRANDOM_WATCH", "VGETRANDOM_VDSO"} or memory == "none":
        assert "watch='none'" in done.stdout
    # takes_no_more() goes by these.
    if "VGETRANDOM_VDSO" in limits or memory == "none":
        assert "kernel_entropy='syscall'" in done.stdout
    for name, value in limits.items():
        if name == "VGETRANDOM_CHACHA20":
            assert f"chacha20='{value}'" in done.stdout
        elif name == "VGETRANDOM_MEMORY" or memory != "none":
            assert f"{name}={value}" in done.stdout
