# SPDX-License-Identifier: MIT
"""Loops that PyPy compiles: compiled code may fail in other ways than the interpreter."""

from __future__ import annotations

import pytest

import vgetrandom
from support.bindings import BINDINGS

DRAWS = {binding.__name__: binding.random_bytes for binding in BINDINGS}
DRAWS["SystemRandom"] = vgetrandom.SystemRandom().randbytes
DRAWS["secrets"] = vgetrandom.secrets.token_bytes


@pytest.mark.parametrize("name", DRAWS)
def test_more_than_there_is_memory_for(name: str) -> None:
    draw = DRAWS[name]

    def is_refused(size: int) -> bool:
        try:
            draw(size)
        except (OverflowError, MemoryError):
            return True
        return False

    sizes = ([16] * 99 + [2**47]) * 40
    assert sum(is_refused(size) for size in sizes) == 40
