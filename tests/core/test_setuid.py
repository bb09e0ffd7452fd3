# SPDX-License-Identifier: MIT
"""The environment has no say in a set-uid program."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import programs
from support.conditions import without_limits
from support.libraries import program

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.c_program

NOBODY = 65534
OWNER = 1
ST_NOSUID = 2  # statvfs(3); PyPy's os has no such name

LIMITS = {
    "VGETRANDOM_MEMORY": "none",
    "VGETRANDOM_WATCH": "off",
    "VGETRANDOM_VDSO": "off",
    "VGETRANDOM_CHACHA20": "portable",
}
NONSENSE = dict.fromkeys(LIMITS, "nonsense")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that everybody may enter, where set-uid means something."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a set-uid program of another user")
    with tempfile.TemporaryDirectory(prefix="vgetrandom-tests-") as name:
        if os.statvfs(name).f_flag & ST_NOSUID:
            pytest.skip(f"{name} is on a file system that is mounted nosuid")
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def plain(directory: Path) -> Path:
    """A program that anybody may run, as who he is."""
    return Path(shutil.copy(program("report"), directory / "plain"))


@pytest.fixture
def setuid(directory: Path) -> Path:
    """The same program, which runs as another user."""
    binary = Path(shutil.copy(program("report"), directory / "setuid"))
    os.chown(binary, OWNER, OWNER)
    binary.chmod(0o755 | stat.S_ISUID)
    return binary


def told_to_nobody(binary: Path, limits: dict[str, str]) -> dict[str, list[str]]:
    """What the program says of itself when nobody runs it in that environment."""
    return programs.report(
        binary,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        cwd="/",
        env=without_limits() | limits,
    )


@pytest.mark.parametrize("limits", [LIMITS, NONSENSE], ids=["limits", "nonsense"])
def test_environment_is_ignored(plain: Path, setuid: Path, limits: dict[str, str]) -> None:
    usual = told_to_nobody(plain, {})
    assert told_to_nobody(plain, limits) != usual  # in an ordinary program it is heeded
    assert told_to_nobody(setuid, {}) == usual
    assert told_to_nobody(setuid, limits) == usual


@pytest.mark.parametrize("name", LIMITS)
def test_each_variable_is_ignored(plain: Path, setuid: Path, name: str) -> None:
    usual = told_to_nobody(plain, {})
    assert told_to_nobody(plain, {name: "nonsense"}) != usual
    assert told_to_nobody(setuid, {name: LIMITS[name]}) == usual
    assert told_to_nobody(setuid, {name: "nonsense"}) == usual
