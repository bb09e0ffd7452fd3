# SPDX-License-Identifier: MIT
"""The core as shipped over the scripted kernel, and variants of it with one defect each.

Every file of the core is compiled with the very command that the shipped library's build uses;
only the kernel's interfaces are replaced, as in the other tests (tests/c/scripted_kernel.h). A
variant is made from a copy of the source in which a text was replaced; where the text is not found
exactly once, the source has changed and the defect must be seeded anew.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from support import places, tools

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

ROOT = places.ROOT
BUILD = places.build() / f"faults-{os.uname().machine}"
KERNEL = {"clock.c", "kernel.c", "vdso.c", "vvar.c"}
PEEK = "tests/faults/peek.c"
HOOKS = "tests/c/hooks.c"
SCRIPTED_KERNEL = "tests/c/scripted_kernel.c"


@dataclass(frozen=True)
class Replacement:
    """One text in place of another, which occurs exactly once in the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Defect:
    """A mistake that the protocol's author might have made."""

    name: str
    replacements: tuple[Replacement, ...]


def run(command: list[str]) -> str:
    """Run a command and return what it printed; its errors are part of the exception."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return done.stdout


@functools.cache
def _workspace() -> Path:
    """Return a directory for what this process builds, objects apart: others may build too."""
    BUILD.mkdir(parents=True, exist_ok=True)
    directory = tempfile.TemporaryDirectory(prefix="build-", dir=BUILD)
    atexit.register(directory.cleanup)
    return Path(directory.name)


@functools.cache
def _commands(
    build_type: str = "Release", secrets: str = "OFF"
) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """Return the source files of the shipped library, each with its compile command."""
    directory = _workspace() / f"shipped-{build_type}-{secrets}"
    run(
        [
            tools.find("cmake") or "cmake",
            "-S",
            str(ROOT),
            "-B",
            str(directory),
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
            f"-DCMAKE_BUILD_TYPE={build_type}",
            f"-DVGETRANDOM_KEEPS_SECRETS_ON_STACK={secrets}",
        ]
    )
    entries = json.loads((directory / "compile_commands.json").read_text())
    return tuple(
        (Path(entry["file"]), _without_files(shlex.split(entry["command"]))) for entry in entries
    )


def _without_files(command: list[str]) -> tuple[str, ...]:
    """Return the compiler and its options, but neither source nor object."""
    kept: list[str] = []
    skip = False
    for word in command:
        if skip or word in {"-o", "-c"}:
            skip = not skip
        else:
            kept.append(word)
    return tuple(kept)


def _compile(command: tuple[str, ...], source: Path, headers: bytes) -> Path:
    """Compile a file unless the same was compiled before; return the object."""
    digest = hashlib.sha256(headers + source.read_bytes() + repr(command).encode()).hexdigest()
    made = BUILD / "objects" / f"{source.stem}-{digest[:24]}.o"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_suffix(f".{os.getpid()}")
        run([*command, "-c", str(source), "-o", str(unfinished)])
        unfinished.rename(made)
    return made


def _copy(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    for part in ("csrc", "tests/c", "tests/faults"):
        shutil.copytree(
            ROOT / part, directory / part, ignore=shutil.ignore_patterns("python", "_*")
        )
    # The tree may be read-only; the copies are changed and removed.
    for path in directory.rglob("*"):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def _seed(directory: Path, defect: Defect) -> None:
    for change in defect.replacements:
        path = directory / change.file
        text = path.read_text()
        if text.count(change.old) != 1:
            message = f"{defect.name}: {change.file} has changed, seed the defect anew"
            raise RuntimeError(message)
        path.write_text(text.replace(change.old, change.new))


@dataclass(frozen=True)
class Build:
    """How to compile the core, where it is not as shipped.

    Attributes:
        scripted (bool): Whether the kernel is the scripted one.
        options (tuple[str, ...]): More options for the compiler.
        compiler (str): A compiler other than the shipped library's.
        build_type (str): CMake's name for how optimised it is.
        binding (str): What the linker is told of when functions are bound.
    """

    scripted: bool = True
    options: tuple[str, ...] = ()
    compiler: str = ""
    build_type: str = "Release"
    binding: str = "now"


def headers_of(directory: Path) -> bytes:
    """Return what all headers of a source tree say, but of none that other sessions build there."""
    folders = (directory / "csrc", directory / "tests")
    paths = sorted(path for folder in folders for path in folder.rglob("*.h"))
    return b"".join(path.read_bytes() for path in paths)


def _objects(directory: Path, how: Build) -> list[Path]:
    headers = headers_of(directory)
    jobs: list[tuple[tuple[str, ...], Path]] = []
    # Sanitizers keep what they like on the stack.
    secrets = "ON" if any("-fsanitize" in option for option in how.options) else "OFF"
    for source, shipped in _commands(how.build_type, secrets):
        command = (how.compiler or shipped[0], *shipped[1:], *how.options)
        if not (how.scripted and source.name in KERNEL):
            jobs.append((command, directory / source.relative_to(ROOT)))
    command = (*command, "-fvisibility=default")
    extra = (PEEK, HOOKS, SCRIPTED_KERNEL) if how.scripted else (PEEK,)
    jobs += [(command, directory / file) for file in extra]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: _compile(job[0], job[1], headers), jobs))


_building = threading.Lock()
"""Held while something is built, for which all processors are used anyway."""


def once(build: Callable[P, Path]) -> Callable[P, Path]:
    """Build each thing once per process, whichever threads ask for it."""
    cached = functools.cache(build)

    @functools.wraps(build)
    def locked(*args: P.args, **kwargs: P.kwargs) -> Path:
        with _building:
            return cached(*args, **kwargs)  # type: ignore[arg-type]

    return locked


@once
def build(defect: Defect | None = None, *, scripted: bool = True, how: Build | None = None) -> Path:
    """Build the core as a shared library.

    Args:
        defect (Defect | None): The mistake to make in it.
        scripted (bool): Whether the kernel is the scripted one.
        how (Build | None): How to compile it, if not as shipped.

    Returns:
        Path: The library.
    """
    how = how or Build(scripted)
    name = f"{defect.name if defect else 'as shipped'} {how}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    directory = _workspace() / "variants" / digest[:24]
    _copy(directory)
    if defect:
        _seed(directory, defect)
    objects = _objects(directory, how)
    library = directory / "libvgetrandom.so"
    run(
        ["cc", "-shared", "-pthread", f"-Wl,-z,relro,-z,{how.binding}", "-o", str(library)]
        + [str(made) for made in objects]
    )
    return library


@once
def linked_program(sources: tuple[str, ...], how: Build, defect: Defect | None = None) -> Path:
    """Build a program with the core in it, all of it alike.

    Args:
        sources (tuple[str, ...]): Its files, in the tests' directory.
        how (Build): How to compile them and the core.
        defect (Defect | None): The mistake to make in the core.

    Returns:
        Path: The program.
    """
    name = Path(sources[0]).stem
    text = f"{sources} {how} {defect.name if defect else ''}"
    directory = _workspace() / "programs" / hashlib.sha256(text.encode()).hexdigest()[:24]
    _copy(directory)
    if defect:
        _seed(directory, defect)
    compiler = how.compiler or "cc"
    made = directory / name
    run(
        [compiler, "-std=gnu11", "-O1", *how.options, "-pthread", "-o", str(made)]
        + [f"-I{directory / 'csrc' / 'include'}"]
        + [str(directory / "tests" / source) for source in sources]
        + [str(built) for built in _objects(directory, how)]
    )
    return made


@once
def program(name: str, *sources: str) -> Path:
    """Build a program from files of this directory, which loads the core."""
    here = Path(__file__).parent
    headers = headers_of(ROOT)
    command = ("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra")
    objects = [_compile(command, here / source, headers) for source in sources]
    made = _workspace() / name
    run([*command[:1], "-o", str(made), *map(str, objects), "-ldl", "-pthread"])
    return made
