# SPDX-License-Identifier: MIT
"""The file system that a guest begins with, and with Python in it where that is asked for."""

from __future__ import annotations

import gzip
import importlib.util
import py_compile
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import vgetrandom
from vm.machine import compile_guest

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = 0o040755
PROGRAM = 0o100755

# Where guest/main.c looks for it.
HOME = PurePosixPath("python")
SCRIPT = Path(__file__).parent / "guest" / "package.py"

# Of the standard library; they are half of it.
LEFT_OUT = frozenset(
    {
        "__pycache__",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
    }
)
# And what is linked with all of X, or is CPython's own tests'.
MODULES_LEFT_OUT = ("_tkinter", "_test", "_ctypes_test", "_xx", "xx")


def _entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """One file of a cpio archive as Documentation/driver-api/early-userspace has it: "newc"."""
    path = name.encode() + b"\0"
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers)
    padded = header + path
    padded += bytes(-len(padded) % 4) + content
    return padded + bytes(-len(padded) % 4)


def write(path: Path, program: bytes, others: dict[PurePosixPath, bytes]) -> None:
    """Write an initramfs with the program as /init, and other files."""
    folders = {parent for name in others for parent in name.parents} - {PurePosixPath()}
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.write(_entry("init", PROGRAM, program))
        for folder in sorted(folders):
            archive.write(_entry(str(folder), DIRECTORY))
        for name, content in others.items():
            archive.write(_entry(str(name), PROGRAM, content))
        archive.write(_entry("TRAILER!!!", 0))


def _compiled(module: Path) -> bytes:
    """Return a module's byte code, which is loaded without its source from the source's place."""
    kept = Path(importlib.util.cache_from_source(str(module), optimization=""))
    if kept.exists():
        return kept.read_bytes()
    with tempfile.TemporaryDirectory(prefix="vgetrandom-vm-") as directory:
        made = Path(directory) / "module.pyc"
        py_compile.compile(str(module), cfile=str(made), doraise=True)
        return made.read_bytes()


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT or path.name.startswith(("config-", *MODULES_LEFT_OUT)):
            continue
        if path.is_dir():
            yield from _below(path)
        elif path.suffix in (".py", ".so"):
            yield path


def _standard_library() -> dict[PurePosixPath, bytes]:
    folder = Path(sysconfig.get_path("stdlib"))
    there = HOME / "lib" / folder.name
    found = {}
    for path in _below(folder):
        name = there / path.relative_to(folder)
        if path.suffix == ".so":
            found[name] = path.read_bytes()
        else:
            found[name.with_suffix(".pyc")] = _compiled(path)
    return found


def _package() -> dict[PurePosixPath, bytes]:
    """Return the installed package with what importlib.metadata needs; it has its sources."""
    folder = Path(vgetrandom.__file__).parent
    # With the standard library: Debian's Python has no site-packages.
    there = HOME / "lib" / Path(sysconfig.get_path("stdlib")).name
    paths = [
        path
        for directory in (folder, *folder.parent.glob("vgetrandom-*.dist-info"))
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    return {there / path.relative_to(folder.parent): path.read_bytes() for path in paths}


def _shared_libraries(programs: list[Path]) -> dict[PurePosixPath, bytes]:
    """Return what these are linked with, the dynamic linker among them, in one place."""
    command = ["ldd", *map(str, programs)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    linker = re.findall(r"^\s+(/\S+) \(", said, re.MULTILINE)[0]
    found = {PurePosixPath(linker[1:]): Path(linker).read_bytes()}
    ours = str(Path(vgetrandom.__file__).parent)
    for name, path in re.findall(r"^\s+(\S+) => (/\S+) \(", said, re.MULTILINE):
        if not path.startswith(ours):
            found[HOME / "libraries" / name] = Path(path).read_bytes()
    return found


def python() -> dict[PurePosixPath, bytes]:
    """Return the running interpreter, the installed package and the script that checks it."""
    interpreter = Path(sys.executable).resolve()
    standard, package = _standard_library(), _package()
    modules = [
        path
        for folder in (Path(sysconfig.get_path("stdlib")), Path(vgetrandom.__file__).parent)
        for path in _below(folder)
        if path.suffix == ".so"
    ]
    return {
        HOME / "bin" / "python3": interpreter.read_bytes(),
        HOME / "check.py": SCRIPT.read_bytes(),
        **_shared_libraries([interpreter, *modules]),
        **standard,
        **package,
    }


def made(architecture: str, directory: Path, *, with_python: bool = False) -> Path:
    """Return a guest's initramfs; what was made in this directory before is used again."""
    path = directory / f"{'python' if with_python else 'guest'}-{architecture}.cpio.gz"
    if not path.exists():
        program = compile_guest(architecture, directory).read_bytes()
        write(path, program, python() if with_python else {})
    return path
