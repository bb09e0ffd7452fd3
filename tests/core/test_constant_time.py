# SPDX-License-Identifier: MIT
"""No branch and no address depends on the key: valgrind's memcheck, which takes it as undefined."""

from __future__ import annotations

import functools
import shutil
import subprocess

import pytest

from support.ahead import ahead
from support.libraries import chacha20_sets, program

pytestmark = pytest.mark.c_program

ERROR = 9
Done = subprocess.CompletedProcess[str]


def memcheck(name: str, groups: int = 1) -> Done:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("valgrind is not installed")
    if name != "nothing" and complains_of_libc():
        pytest.skip("valgrind complains of libc's own code here, which is linked statically")
    command = [valgrind, "--quiet", f"--error-exitcode={ERROR}", program("secret_key"), name]
    return subprocess.run(
        [*map(str, command), str(groups)], capture_output=True, text=True, check=False
    )


@functools.cache
def complains_of_libc() -> bool:
    return memcheck("nothing").returncode == ERROR


@ahead(memcheck)
@pytest.mark.parametrize("name", chacha20_sets())
@pytest.mark.parametrize("groups", [1, 3])
def test_no_set_branches_or_addresses_by_the_key(name: str, groups: int, done: Done) -> None:
    if done.returncode == 77:
        pytest.skip(f"valgrind's CPU has no {name}")
    assert done.returncode == 0, (groups, done.stderr)


@pytest.mark.parametrize("defect", ["branch", "address"])
def test_valgrind_would_see_it(defect: str) -> None:
    done = memcheck(defect)
    assert done.returncode == ERROR
    assert "uninitialised value" in done.stderr
