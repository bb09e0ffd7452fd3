# SPDX-License-Identifier: MIT
"""One process, several interpreters: each imports the extension, all share one set of states."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

import pytest

import vgetrandom
from support.running import in_child, in_thread, read_all
from support.windows import assert_unique

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="PyPy has no subinterpreters and no extension"
)

PROGRAM = """
import os, sys
sys.path[:] = {path}
import vgetrandom
data = b"".join(vgetrandom.random_bytes(size) for size in (16, 320, 16000))
into = bytearray(160)
vgetrandom.random_bytes_into(into)
try:
    vgetrandom.random_bytes(-1)
except ValueError:
    os.write({descriptor}, data + into)
"""


def interpreters() -> ModuleType:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    pytest.skip("this Python has no module for subinterpreters")


def run(module: Any, descriptor: int) -> None:
    """Run the program in a new interpreter, with a GIL of its own where there is such a thing."""
    number = module.create()
    failed = module.run_string(number, PROGRAM.format(path=sys.path, descriptor=descriptor))
    module.destroy(number)
    assert failed is None, failed


def outputs(in_new_threads: bool) -> bytes:
    """What several interpreters draw, and this one in between."""
    module = interpreters()
    drawn = vgetrandom.random_bytes(320)
    for _ in range(4):
        receiver, sender = os.pipe()
        if in_new_threads:
            in_thread(lambda sender=sender: run(module, sender))  # type: ignore[misc]
        else:
            run(module, sender)
        os.close(sender)
        drawn += read_all(receiver)
        drawn += vgetrandom.random_bytes(320)
    return drawn


# In a child: what becomes of an interpreter's modules is nothing that the others should see.
@pytest.mark.parametrize("in_new_threads", [False, True], ids=["this thread", "new threads"])
def test_draw(in_new_threads: bool) -> None:
    interpreters()
    drawn = in_child(lambda: outputs(in_new_threads))
    assert len(drawn) == 320 + 4 * (16 + 320 + 16000 + 160 + 320)
    assert_unique([drawn])
