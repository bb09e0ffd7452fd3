# SPDX-License-Identifier: MIT
"""Annotations: they resolve at run time, and type checkers take from them what is true."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import re
import subprocess
import sys
import typing
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.ahead import ahead
from support.bindings import BINDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = ["vgetrandom", "vgetrandom.droppable", "vgetrandom.doctor"]
MODULES += [module.__name__ for module in BINDINGS]


def members(owner: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Functions, classes and methods that are the owner's own."""
    for key, member in list(vars(owner).items()):
        function = getattr(member, "__func__", member)  # of static and class methods
        function = getattr(function, "fget", function)
        if getattr(function, "__module__", "").partition(".")[0] != "vgetrandom":
            continue
        if inspect.isfunction(function) or inspect.isclass(function):
            yield f"{name}.{key}", function
        if inspect.isclass(function) and function.__qualname__ == key:
            yield from members(function, f"{name}.{key}")


def public() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for late in getattr(module, "__all__", ()):
            getattr(module, late)
        found.update(members(module, name))
    return found


PUBLIC = public()


def test_knows_the_members() -> None:
    expected = {
        "vgetrandom.info",
        "vgetrandom.Stats",
        "vgetrandom.Reseeds.__iter__",
        "vgetrandom.droppable.DroppableCache.put",
        "vgetrandom.droppable.DroppableMemory.__new__",
        "vgetrandom.droppable.Entry.load",
        "vgetrandom.doctor.diagnose",
    }
    assert expected <= {*PUBLIC}


@pytest.mark.parametrize("member", PUBLIC.values(), ids=PUBLIC)
def test_resolves(member: Any) -> None:
    typing.get_type_hints(member)
    if inspect.isfunction(member):
        inspect.signature(member, eval_str=True)


def test_results_are_named_as_users_name_them() -> None:
    assert typing.get_type_hints(vgetrandom.info) == {"return": vgetrandom.Info}
    assert typing.get_type_hints(vgetrandom.stats) == {"return": vgetrandom.Stats}


# --- type checkers ---

Done = subprocess.CompletedProcess[str]

ACCEPTED = """
import array
import ctypes
import mmap

import vgetrandom
from vgetrandom.droppable import DroppableCache, DroppableMemory

vgetrandom.random_bytes_into(bytearray(3))
vgetrandom.random_bytes_into(memoryview(bytearray(3)))
vgetrandom.random_bytes_into(array.array("I", [1]))
vgetrandom.random_bytes_into(mmap.mmap(-1, 3))
vgetrandom.random_bytes_into((ctypes.c_char * 3)())
DroppableCache(1).put("key", b"value")
DroppableMemory(1).store(b"value").load()
info: vgetrandom.Info = vgetrandom.info()
stats: vgetrandom.Stats = vgetrandom.stats()
wiped: int = stats.reseeds["wiped"]
"""
ARRAYS = """
import numpy

import vgetrandom
from vgetrandom.droppable import DroppableCache, DroppableMemory

numbers = numpy.zeros(3)
vgetrandom.random_bytes_into(numbers)
DroppableCache(1).put("key", numbers)
DroppableMemory(1).store(numbers)
"""
REFUSED = """
import vgetrandom

vgetrandom.random_bytes_into("text")
vgetrandom.random_bytes_into(16)
vgetrandom.random_bytes("16")
vgetrandom.stats().reseeds = 1
"""


@functools.cache
def runs(checker: str) -> bool:
    """Whether it is installed with all it needs: pyright's package fetches its program."""
    command = [sys.executable, "-m", checker, "--version"]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    return False


def complaints(checker: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    if not runs(checker):
        pytest.skip(f"{checker} is not installed, or lacks what it runs on (Node.js)")
    tmp_path = tmp_path_factory.mktemp(checker)
    numpy = importlib.util.find_spec("numpy")
    (tmp_path / "accepted.py").write_text(ACCEPTED + (ARRAYS if numpy else ""))
    (tmp_path / "refused.py").write_text(REFUSED)
    options = {
        "mypy": ["--python-executable", sys.executable, "--cache-dir", str(tmp_path)],
        "pyright": ["--pythonpath", sys.executable],
    }[checker]
    if checker == "mypy":
        options += ["--strict", "--python-version", "3.11", "--config-file", ""]
    else:
        options += ["--pythonversion", "3.11"]
    return subprocess.run(
        [sys.executable, "-m", checker, *options, "accepted.py", "refused.py"],
        cwd=tmp_path,  # the package is the installed one
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@ahead(complaints)
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_take_what_is_a_buffer(checker: str, done: Done) -> None:
    found = set(re.findall(r"(\w+\.py:\d+):.*error", done.stdout))
    expected = {f"refused.py:{line}" for line in (4, 5, 6, 7)}
    assert found == expected, (checker, done.stdout + done.stderr)
