# SPDX-License-Identifier: MIT
"""Names of files are bytes: those of mapped files in /proc, and that of the package's directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vgetrandom
from support.bindings import BINDINGS
from vgetrandom import _proc

# Latin-1, a line's end to str.splitlines() in UTF-8 and by itself, and what /proc escapes.
NAMES = [b"caf\xe9", b"a\xff b", "a\u2028b\x85\x0c".encode(), b"a\nVmFlags: dp", b"a\rb\x1c"]

LOCALES = {"UTF-8": {}, "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with files of such names."""
    for name in NAMES:
        try:
            with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
                file.write(bytes(100))
        except OSError as error:
            pytest.skip(f"no such name can be had here: {error.strerror}")
    return tmp_path


pytestmark = pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy takes no path like that: it reads its PYTHONPATH wrongly",
)


def python(*arguments: str, env: dict[str, str] | None = None, timeout: float = 60) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    if b"_native import" in done.stderr and b"surrogates not allowed" in done.stderr:
        pytest.skip("this Python (3.12 on) loads no extension module from a path like that")
    assert b"Traceback" not in done.stderr, done.stderr.decode("latin-1")
    assert done.stdout, done.stderr.decode("latin-1")
    return done.stdout.decode("ascii")


MAPPING = """
import mmap, os, sys
from vgetrandom import _proc
from vgetrandom._probes.generator import vdso_symbol
from vgetrandom._probes.memory import droppable, smaps
from vgetrandom.bench.first_use import _droppable
from vgetrandom.bench.machine import describe

describe()
areas = []
for entry in os.scandir(os.fsencode(sys.argv[1])):
    with open(entry.path, "r+b") as file:
        areas.append(mmap.mmap(file.fileno(), 0))
    escaped = os.fsdecode(entry.name.replace(b"\\n", rb"\\012"))
    found = [line for line in _proc.lines("/proc/self/maps") if line.endswith("/" + escaped)]
    assert len(found) == 1, entry.name
assert len(areas) == 5
before = len(list(_droppable()))
memory = droppable(mmap.PAGESIZE)
assert "dp" in smaps(memory)["VmFlags"].split()
assert not any("dp" in smaps(area)["VmFlags"].split() for area in areas)
assert len(list(_droppable())) in (before, before + 1)
vdso_symbol("none")
describe()
print("ok")
"""


@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES)
@pytest.mark.skipif(vgetrandom.info().memory != "droppable", reason="no droppable memory here")
def test_names_of_mapped_files_disturb_nobody(directory: Path, locale: dict[str, str]) -> None:
    assert python("-c", MAPPING, str(directory), env=locale) == "ok\n"


# --- the package under such a name ---

EVERYTHING = """
import importlib, os, sys, vgetrandom
assert os.fsencode(vgetrandom.__file__).startswith(os.fsencode(sys.argv[1]))
vgetrandom.reseed()
for binding in sys.argv[2:]:
    assert len(importlib.import_module(binding).random_bytes(5)) == 5
assert vgetrandom.stats().reseeds["first"] + vgetrandom.stats().fallbacks
assert vgetrandom.info().batch_bytes or vgetrandom.info().memory == "none"
assert os.path.exists(vgetrandom.get_library())
assert os.path.exists(vgetrandom.get_include() + "/vgetrandom.h")
print("ok")
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory with a copy of the package."""
    directory = os.fsencode(tmp_path_factory.mktemp("install")) + b"/caf\xe9"
    for source in map(Path, vgetrandom.__path__):
        target = Path(os.fsdecode(directory), "vgetrandom")
        try:
            shutil.copytree(source, target, dirs_exist_ok=True)
        except OSError as error:
            pytest.skip(f"no such name can be had here: {error}")
    return os.fsdecode(directory)


@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES)
def test_installed_under_such_a_name(elsewhere: str, locale: dict[str, str]) -> None:
    env = {"PYTHONPATH": elsewhere, **locale}
    bindings = [module.__name__ for module in BINDINGS]
    assert python("-c", EVERYTHING, elsewhere, *bindings, env=env) == "ok\n"
    assert json.loads(python("-m", "vgetrandom", "info", "--json", env=env))


def test_doctor_under_such_a_name(elsewhere: str) -> None:
    def verdicts(env: dict[str, str]) -> dict[str, object]:
        rows = json.loads(python("-m", "vgetrandom", "doctor", "--json", env=env))
        return {row["name"]: row["ok"] for row in rows}

    here, there = verdicts({}), verdicts({"PYTHONPATH": elsewhere, **LOCALES["C"]})
    # What depends on memory pressure may have been tried once and not the other time.
    assert {name for name in here if here[name] is not there[name]} <= {"memory pressure"}


# --- reading ---


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a\x85\xff\rb\x0c\n\n\xe2\x80\xa8c\n")
    read = [os.fsencode(line) for line in _proc.lines(file)]
    assert read == [b"a\x85\xff\rb\x0c", b"", b"\xe2\x80\xa8c"]


def test_names_of_mounts_are_unescaped() -> None:
    assert _proc.unescape(r"/mnt/a\040b\134\011") == "/mnt/a b\\\t"


def test_names_can_be_printed() -> None:
    assert _proc.printable(os.fsdecode(b"caf\xc3\xa9 \xff")) == "caf\u00e9 \\xff"
