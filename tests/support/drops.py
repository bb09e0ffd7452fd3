# SPDX-License-Identifier: MIT
"""Droppable memory in tests: whether there is any, and how its pages are really dropped."""

from __future__ import annotations

import time

import pytest

from vgetrandom.droppable import MADV_PAGEOUT, DroppableMemory


def _lacking() -> str:
    """Why there is no droppable memory; empty where there is."""
    try:
        DroppableMemory(1).close()
    except OSError as error:
        return str(error)
    return ""


needs_droppable_memory = pytest.mark.skipif(bool(_lacking()), reason=_lacking())

PATIENCE = 10
"""Seconds in which the kernel must have dropped what it was asked to drop."""


def drop(memory: DroppableMemory, start: int = 0, length: int | None = None) -> None:
    """Have the kernel drop pages; it may need to be asked more than once."""
    length = len(memory) - start if length is None else length
    deadline = time.monotonic() + PATIENCE
    while any(memory[start : start + length]):
        assert time.monotonic() < deadline, "the kernel does not drop these pages"
        memory.madvise(MADV_PAGEOUT, start, length)
