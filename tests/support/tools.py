# SPDX-License-Identifier: MIT
"""The programs that tests run, found first among those that were installed beside this Python."""

from __future__ import annotations

import os
import shutil
import sysconfig

import pytest


def path() -> str:
    """Return a PATH that begins with this Python's own programs."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])


def find(name: str) -> str | None:
    """Return a program's path, or None where it is not installed."""
    return shutil.which(name, path=path())


def missing(*names: str) -> str:
    """Return which of these programs are not installed, for people; empty where all are."""
    return ", ".join(name for name in names if not find(name))


def skip_without(*names: str) -> None:
    """Skip the test where one of these programs is missing."""
    if missing(*names):
        pytest.skip(f"not installed: {missing(*names)}")
