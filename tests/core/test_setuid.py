# SPDX-License-Identifier: MIT
"""The environment has no say in a set-uid program."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.libraries import program

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
OWNER = 1

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
        if os.statvfs(name).f_flag & os.ST_NOSUID:
            pytest.skip(f"{name} is on a file system that is mounted nosuid")
        Path(name).chmod(0o755)
        yield Path(name)


def report(binary: Path, limits: dict[str, str]) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in LIMITS}
    done = subprocess.run(
        [binary],
        capture_output=True,
        text=True,
        check=False,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        cwd="/",
        env=clean | limits,
    )
    assert done.returncode == 0, done.stderr
    # Counters differ where the kernel reseeds meanwhile.
    return done.stdout


@pytest.fixture
def plain(directory: Path) -> Path:
    return Path(shutil.copy(program("report"), directory / "plain"))


@pytest.fixture
def setuid(directory: Path) -> Path:
    binary = Path(shutil.copy(program("report"), directory / "setuid"))
    os.chown(binary, OWNER, OWNER)
    binary.chmod(0o755 | stat.S_ISUID)
    return binary


@pytest.mark.parametrize("limits", [LIMITS, NONSENSE], ids=["limits", "nonsense"])
def test_environment_is_ignored(plain: Path, setuid: Path, limits: dict[str, str]) -> None:
    usual = report(plain, {})
    # In an ordinary program it is not.
    assert report(plain, limits) != usual
    assert report(setuid, {}) == usual
    assert report(setuid, limits) == usual


@pytest.mark.parametrize("name", LIMITS)
def test_each_is_ignored(plain: Path, setuid: Path, name: str) -> None:
    usual = report(plain, {})
    assert report(plain, {name: "nonsense"}) != usual
    assert report(setuid, {name: LIMITS[name]}) == usual
    assert report(setuid, {name: "nonsense"}) == usual
