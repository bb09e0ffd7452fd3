# SPDX-License-Identifier: MIT
"""A draw takes at most 1.5 KiB of the caller's stack, as vgetrandom.h says."""

from __future__ import annotations

import pytest

from support import programs
from support.libraries import chacha20_sets

pytestmark = pytest.mark.c_program

PROMISED = 1536
SETS = [("VGETRANDOM_CHACHA20", name) for name in chacha20_sets(supported=True)]
MEMORY = [("VGETRANDOM_MEMORY", name) for name in ("wipe-on-fork", "none")]


@pytest.mark.parametrize(("variable", "value"), [*SETS, *MEMORY])
def test_no_draw_takes_more(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    depths = programs.figures("stack_depth")
    assert depths.keys() == {"first", "later", "reseeding", "child"}
    # A draw that was not measured would have taken next to nothing.
    assert min(depths.values()) > 100
    assert max(depths.values()) <= PROMISED, depths
