# SPDX-License-Identifier: MIT
"""A process with a second copy of the library: everything in Python acts on the copy that draws.

The copies are files of the installed library, elsewhere. Another SONAME (a later major version, a
library of somebody's own build) is written into the file itself, as long as the one that was there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import vgetrandom

SONAME = b"libvgetrandom.so.0"

# PyPy opens the library by its path, so that no other copy can take its place.
LINKED = sys.implementation.name == "cpython"

DRAW_AND_TELL = """
import ctypes, sys
if len(sys.argv) > 1:
    ctypes.CDLL(sys.argv[1])
import vgetrandom
for _ in range(1000):
    vgetrandom.random_bytes(16)
drawn = vgetrandom.stats()
assert drawn.refills + drawn.fallbacks >= 5, drawn
vgetrandom.reseed()
vgetrandom.random_bytes(16)
if not drawn.fallbacks:
    assert vgetrandom.stats().reseeds["requested"] == 1, vgetrandom.stats()
print(vgetrandom.get_library())
"""


def python(
    program: str, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=os.environ | environment,
    )


def copied(directory: Path, *replacements: tuple[bytes, bytes]) -> Path:
    """A copy of the library in which names were replaced by others of the same length."""
    image = Path(vgetrandom.get_library()).read_bytes()
    for old, new in replacements:
        assert len(old) == len(new)
        assert old + b"\0" in image
        image = image.replace(old + b"\0", new + b"\0")
    copy = directory / "libvgetrandom-copy.so"
    copy.write_bytes(image)
    return copy


def test_the_library_is_one_file_under_its_soname() -> None:
    library = Path(vgetrandom.get_library())
    assert library.name.encode() == SONAME
    assert [path.name for path in library.parent.iterdir()] == [library.name]
    assert SONAME + b"\0" in library.read_bytes()


def test_alone() -> None:
    done = python(DRAW_AND_TELL)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).samefile(vgetrandom.get_library())


def test_a_copy_of_the_same_soname_is_shared(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    done = python(DRAW_AND_TELL, copy)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == (copy if LINKED else Path(vgetrandom.get_library()))


def test_a_copy_of_another_soname_is_left_alone(tmp_path: Path) -> None:
    done = python(DRAW_AND_TELL, copied(tmp_path, (SONAME, b"libvgetrandom.so.9")))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).samefile(vgetrandom.get_library())


def test_a_preloaded_copy_is_the_one_that_draws(tmp_path: Path) -> None:
    copy = copied(tmp_path, (SONAME, b"libvgetrandom.so.9"))
    done = python(DRAW_AND_TELL, LD_PRELOAD=str(copy))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == (copy if LINKED else Path(vgetrandom.get_library()))


def test_functions_of_two_versions_are_not_mixed(tmp_path: Path) -> None:
    """A preloaded older library lacks a function, which the loader then takes from ours."""
    names = (SONAME, b"libvgetrandom.so.9"), (b"vgetrandom_reseed", b"vgetrandom_none__")
    copy = copied(tmp_path, *names)
    done = python("import vgetrandom; vgetrandom.reseed()", LD_PRELOAD=str(copy))
    if not LINKED:
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 1
    assert "two versions of libvgetrandom are mixed up in this process" in done.stderr
    assert str(copy) in done.stderr


def test_what_pypy_opens_is_the_same_file() -> None:
    program = """
import sys, types
sys.implementation = types.SimpleNamespace(**vars(sys.implementation) | {"name": "pypy"})
""" + DRAW_AND_TELL.replace("print", "print(vgetrandom.__version__);print")
    done = python(program)
    assert done.returncode == 0, done.stderr
    version, library = done.stdout.splitlines()
    assert version == vgetrandom.__version__
    assert Path(library).samefile(vgetrandom.get_library())


# --- Python started where the package cannot be ---


@pytest.mark.parametrize("implementation", ["cpython", "pypy"])
def test_the_checkout_explains_itself(tmp_path: Path, implementation: str) -> None:
    source = Path(__file__).resolve().parents[2]
    program = f"""
import sys, types
sys.implementation = types.SimpleNamespace(
    **vars(sys.implementation) | {{"name": "{implementation}"}}
)
sys.path.insert(0, {str(source)!r})
import vgetrandom
"""
    done = python(program, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("ImportError: ")
    assert "source code, which cannot be imported before it is built" in last
    assert str(source) in last


def test_a_package_for_another_python_explains_itself(tmp_path: Path) -> None:
    package = Path(vgetrandom.__path__[0])
    there = tmp_path / "vgetrandom"
    there.mkdir()
    for path in package.glob("*.py"):
        (there / path.name).write_bytes(path.read_bytes())
    done = python("import vgetrandom", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert "the package was installed for another Python" in last
