# SPDX-License-Identifier: MIT
"""Where tests build."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="vgetrandom-tests-")


def build() -> Path:
    """Return the directory for what tests build: a temporary one where the tree is read-only."""
    kept = ROOT / "build"
    if os.access(kept if kept.exists() else ROOT, os.W_OK):
        return kept / "tests"
    return Path(_temporary().name)
