# SPDX-License-Identifier: MIT
"""What has random_bytes(): the extension module, and what PyPy has instead, through cffi."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest


def through_cffi() -> ModuleType:
    """Return the binding through cffi; skip where there is no cffi, as on Python 3.13t."""
    pytest.importorskip("cffi")
    return importlib.import_module("vgetrandom._core")


# Those that can be had in this interpreter.
BINDINGS: list[ModuleType] = []
if importlib.util.find_spec("cffi"):
    BINDINGS.append(through_cffi())
if sys.implementation.name == "cpython":
    BINDINGS.append(importlib.import_module("vgetrandom._native"))
