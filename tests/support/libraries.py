# SPDX-License-Identifier: MIT
"""The test builds of the C core, made once per test session and bound through cffi.

``hooked`` is the core over the real kernel with hooks into its inside (tests/c/hooks.h),
``scripted`` the same over a kernel whose entropy is known and logged (tests/c/scripted_kernel.h),
``unsound`` one whose ChaCha20 can be made to compute wrong (tests/c/unsound.h). A fresh one has
not drawn yet, and reads the environment as it is now.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import places, tools
from support.bindings import through_cffi

if TYPE_CHECKING:
    from cffi import FFI

ROOT = places.ROOT
SOURCES = ROOT / "tests" / "c"
# Where a test session that runs inside another one finds what that has built.
BUILT = "VGETRANDOM_TESTS_BUILT"

# FFI and library object; what cffi returns has no types that a checker knows.
Library = tuple[Any, Any]


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        pytest.exit(f"{' '.join(command)}:\n{done.stdout}", returncode=1)


_building = threading.Lock()


def build() -> Path:
    """Configure and build the test libraries, once; return the directory that has them."""
    # Without the lock once they are built: a forked child may find it held, and for ever.
    if BUILT not in os.environ:
        with _building:
            _build()
    return Path(os.environ[BUILT])


def _build() -> None:
    if BUILT in os.environ:
        return
    # CMake remembers the compiler and the flags that it was first run with.
    flags = [os.environ.get(name, "") for name in ("CC", "CFLAGS", "LDFLAGS")]
    kind = f"-{zlib.crc32(repr(flags).encode()):08x}" if any(flags) else ""
    name = f"{sys.implementation.cache_tag}-{os.uname().machine}{kind}"
    directory = places.build() / name
    cmake = tools.find("cmake") or "cmake"
    ninja = tools.find("ninja")
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"] if ninja else []
    _run(cmake, "-S", str(ROOT), "-B", str(directory), "-DVGETRANDOM_TESTS=ON", *generator)
    _run(cmake, "--build", str(directory), "--parallel", "4")
    os.environ[BUILT] = str(directory / "tests" / "c")


programs_found: set[str] = set()
"""Programs that the running test has asked for."""


def program(name: str) -> Path:
    """Return the path of one of the C programs in tests/c.

    Tests of them have the marker c_program: they are run against builds by other toolchains.
    """
    programs_found.add(name)
    return _program(name)


def _program(name: str) -> Path:
    path = build() / name
    if not path.exists():
        pytest.skip(f"tests/c/CMakeLists.txt does not build {name} here")
    return path


def _declarations(header: str) -> str:
    """What cffi can read of a header: no preprocessor but for numbers, no qualifiers."""
    text = (SOURCES / header).read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"^#(?!define \w+ \d+$).*$", "", text, flags=re.MULTILINE)
    return text.replace("_Atomic ", "")


HEADERS = {
    "hooked": ("hooks.h",),
    "scripted": ("hooks.h", "scripted_kernel.h"),
    "unsound": ("hooks.h", "unsound.h"),
}


@functools.cache
def _ffi(name: str) -> FFI:
    core = through_cffi()
    ffi: FFI = core.FFI()
    ffi.cdef(core.CDEF + "".join(_declarations(header) for header in HEADERS[name]))
    return ffi


def shared(name: str) -> Path:
    """Return the path of one of the shared libraries in tests/c; or skip, with the whole module."""
    file = build() / f"lib{name}.so"
    if not file.exists():
        pytest.skip("tests/c was built static: no library to load", allow_module_level=True)
    return file


def _loadable(name: str) -> Path:
    file = shared(f"vgetrandom_{name}")
    if (b"libc.so.6\0" in file.read_bytes()) != (platform.libc_ver()[0] == "glibc"):
        pytest.skip("tests/c was built with another libc than Python's", allow_module_level=True)
    return file


def load(name: str, file: Path) -> Library:
    """Load a library that has what the one of this name has."""
    return _ffi(name), _ffi(name).dlopen(str(file))


@functools.cache
def _load(name: str) -> Library:
    return load(name, _loadable(name))


def shipped() -> Library:
    """Return cffi's FFI and library object of the core as it is installed."""
    core = through_cffi()
    return core._ffi, core._lib


def hooked() -> Library:
    """Return cffi's FFI and library object of the core over the real kernel."""
    return _load("hooked")


def scripted() -> Library:
    """Return cffi's FFI and library object of the core over the scripted kernel."""
    return _load("scripted")


def layout_of(library: Library) -> Any:
    """Return where the fields of a state are, and the sizes that the draw protocol goes by.

    It is `struct hook_layout` of tests/c/hooks.h.
    """
    ffi, lib = library
    layout = ffi.new("struct hook_layout *")
    lib.hook_layout(layout)
    return layout


@functools.cache
def _sets() -> list[list[str]]:
    command = [_program("chacha20_vectors")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [line.split("=") for line in done.stdout.splitlines()]


def chacha20_sets(*, supported: bool = False) -> dict[str, int]:
    """Return the names of the instruction sets, best first, and the hooks' numbers for them.

    Args:
        supported (bool): Only those that this machine has.
    """
    return {name: i for i, (name, has) in enumerate(_sets()) if has == "1" or not supported}


def fresh(name: str) -> Library:
    """Load one more instance of a library, with variables of its own: a copy of the file is one.

    A process has room for about fifty (static TLS): tests that do this are marked own_process.
    """
    # The loader knows a library by its inode, which is not used again while the library is mapped.
    with tempfile.TemporaryDirectory(prefix="vgetrandom-tests-") as directory:
        copy = shutil.copyfile(_loadable(name), Path(directory, f"{name}.so"))
        return load(name, copy)
