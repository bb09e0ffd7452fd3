# SPDX-License-Identifier: MIT
"""Under which conditions tests make sense, and where they are run: marks that many of them bear."""

from __future__ import annotations

import os

import pytest

import vgetrandom

VARIABLES = ("VGETRANDOM_MEMORY", "VGETRANDOM_WATCH", "VGETRANDOM_VDSO", "VGETRANDOM_CHACHA20")
"""What the environment can take away; test_limits.py runs parts of the suite under each."""

own_process = pytest.mark.own_process
new_thread = pytest.mark.new_thread

stateful = pytest.mark.skipif(
    vgetrandom.info().memory == "none", reason="no states are kept: every draw is a system call"
)


def unless_set(*names: str) -> pytest.MarkDecorator:
    """Skip where the environment takes one of these away from the whole run."""
    found = [name for name in names if name in os.environ]
    return pytest.mark.skipif(bool(found), reason=f"set for this run: {', '.join(found)}")


def without_limits() -> dict[str, str]:
    """Return the environment without this library's variables."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}
