# SPDX-License-Identifier: MIT
"""What is installed, and what importing it costs."""

from __future__ import annotations

import dis
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import vgetrandom
from support.bindings import through_cffi

PACKAGE = Path(vgetrandom.__path__[0])


def python(program: str) -> str:
    """Run a program in another interpreter, from a directory without a checkout in it."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    sys.implementation.name == "pypy", reason="on PyPy cffi is imported, and all that it needs"
)
def test_import_is_light() -> None:
    program = """
import sys
before = set(sys.modules)
import vgetrandom
vgetrandom.random_bytes(16)
vgetrandom.random_bytes_into(bytearray(16))
print(*sorted(set(sys.modules) - before))
"""
    expected = ["__future__", "vgetrandom", "vgetrandom._lazy", "vgetrandom._native"]
    assert python(program).split() == expected


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info < (3, 14),
    reason="before 3.14 the interpreter specialises attributes of plain modules only",
)
def test_the_interpreter_specialises_the_natural_spelling() -> None:
    """A module with a __getattr__ of its own makes `vgetrandom.random_bytes` twice as slow."""

    def draw(count: int) -> None:
        for _ in range(count):
            vgetrandom.random_bytes(16)

    draw(1000)
    assert "LOAD_ATTR_MODULE" in {each.opname for each in dis.get_instructions(draw, adaptive=True)}


def test_names_that_are_loaded_late() -> None:
    """Each is there, for an import from the package too, and what is not there says so."""
    program = """
import sys
import vgetrandom
for name in vgetrandom.__all__:
    assert name in dir(vgetrandom)
    exec(f"from vgetrandom import {name}")
    assert vars(vgetrandom)[name] is getattr(vgetrandom, name) is globals()[name]
assert vgetrandom.uuid4 is vgetrandom.uuid.uuid4
assert vgetrandom.random is sys.modules["vgetrandom.random"]
try:
    vgetrandom.random_byte
except AttributeError as error:
    print(error)
"""
    message = "module 'vgetrandom' has no attribute 'random_byte'"
    assert python(program).startswith(message)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="elsewhere cffi is the way")
def test_nothing_needs_cffi() -> None:
    """There is none for a free-threaded Python 3.13, and older ones turn its GIL on."""
    program = """
import sys
sys.modules["cffi"] = sys.modules["_cffi_backend"] = None
import vgetrandom
from vgetrandom import doctor, droppable, patch, random, secrets, uuid
assert vgetrandom.info().chacha20
vgetrandom.prepare()
vgetrandom.reseed(b"mine")
vgetrandom.random_bytes(16)
assert vgetrandom.stats().reseeds["requested"] >= 1
secrets.token_hex(), random.SystemRandom().random(), vgetrandom.uuid7(), patch.install()
vgetrandom.reader().read(10), vgetrandom.get_library(), vgetrandom.get_include()
assert not [row for row in doctor.diagnose() if row.ok is False]
"""
    python(program)


def test_everything_public_is_there() -> None:
    for name in vgetrandom.__all__:
        member = getattr(vgetrandom, name)
        assert callable(member) or isinstance(member, ModuleType)
        assert getattr(vgetrandom, name).__doc__


def test_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    for path in PACKAGE.glob("_*.so"):
        assert (PACKAGE / f"{path.name.split('.')[0]}.pyi").exists()
    stub = (PACKAGE / "_native.pyi").read_text()
    for name in ("random_bytes", "random_bytes_into"):
        assert f"def {name}(" in stub


PROGRAM = r"""
#include <vgetrandom.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    unsigned char bytes[32] = { 0 }, zeros[32] = { 0 };
    struct vgetrandom_info info;
    struct vgetrandom_stats stats;

    vgetrandom_reseed(NULL, 0);
    if (vgetrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return 1;
    if (!memcmp(bytes, zeros, sizeof(bytes)) || !vgetrandom_process())
        return 2;
    vgetrandom_get_info(&info);
    vgetrandom_get_stats(&stats);
    puts(info.memory);
    return stats.syscalls ? 0 : 3;
}
"""

COMPILERS = [
    ("cc", "c", ["-std=c99", "-pedantic"]),
    ("cc", "c", ["-std=c11"]),
    ("c++", "c++", ["-std=c++11", "-pedantic"]),
]


@pytest.mark.parametrize(("compiler", "language", "flags"), COMPILERS)
def test_c_users(compiler: str, language: str, flags: list[str], tmp_path: Path) -> None:
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"{compiler} is not installed")
    library = Path(vgetrandom.get_library())
    assert library.is_absolute()
    assert library.exists()
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(PROGRAM)
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [found, "-x", language, *flags, *warnings, f"-I{vgetrandom.get_include()}"]
    link = ["-x", "none", str(library), f"-Wl,-rpath,{library.parent}", "-o", str(program)]
    subprocess.run([*command, str(source), *link], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == vgetrandom.info().memory


def test_one_process_has_one_library() -> None:
    """The extension, cffi and C users share states: there is one set per process."""
    through_cffi()
    program = """
import vgetrandom
vgetrandom.random_bytes(16)
assert vgetrandom.stats().reseeds["first"] + vgetrandom.stats().fallbacks == 1
from vgetrandom import _core
_core.random_bytes(16)
assert vgetrandom.stats().reseeds["first"] + vgetrandom.stats().fallbacks <= 2
maps = [line.split()[-1] for line in open("/proc/self/maps", "rb") if b"libvgetrandom" in line]
print(len(set(maps)))
"""
    assert python(program) == "1\n"


def test_nothing_in_the_shipped_library_is_for_tests() -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm is not installed")
    done = subprocess.run(
        [nm, "-D", "--defined-only", vgetrandom.get_library()],
        capture_output=True,
        text=True,
        check=True,
    )
    exported = {line.split()[-1] for line in done.stdout.splitlines()}
    header = Path(vgetrandom.get_include(), "vgetrandom.h").read_text()
    assert exported == {name for name in exported if f"{name}(" in header}
    assert "vgetrandom" in exported


# --- the command line, as far as it is not another file's ---


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vgetrandom", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=os.environ | {"COLUMNS": "100"},
    )


def test_info_command() -> None:
    done = command("info")
    assert done.returncode == 0
    info = vgetrandom.info()
    for name in ("chacha20", "memory", "kernel_entropy", "watch", "state_bytes", "batch_bytes"):
        assert f"{name:<16}{getattr(info, name)}" in done.stdout
    assert ("All guarantees hold" in done.stdout) == (not info.notes)


def test_info_command_in_json() -> None:
    done = command("info", "--json")
    assert done.returncode == 0
    info = json.loads(done.stdout)
    assert info["version"] == vgetrandom.__version__
    assert info["memory"] == vgetrandom.info().memory
    assert info["notes"] == list(vgetrandom.info().notes)


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("info", "--nonsense")])
def test_bad_commands(arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert not done.stdout


def test_version_and_help() -> None:
    assert command("--version").stdout == f"vgetrandom {vgetrandom.__version__}\n"
    assert "info" in command("--help").stdout


def test_the_suite_begins_as_a_module_of_python() -> None:
    """`python -m pytest` finds the installed package, not the source code where it is called."""
    here = Path(__file__)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q"]
    done = subprocess.run(
        [*command, here], capture_output=True, text=True, check=False, cwd=here.parents[2]
    )
    assert done.returncode == 0, done.stdout + done.stderr
