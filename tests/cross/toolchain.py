# SPDX-License-Identifier: MIT
"""Zig's C compiler as a cross-compiler, with musl; qemu's user mode to run what it makes."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from support.libraries import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Target:
    """An architecture: what Zig, qemu and ELF call it."""

    name: str
    triple: str
    qemu: str
    options: tuple[str, ...] = ()
    sets: tuple[str, ...] = ("portable",)
    bits: int = 64
    big_endian: bool = False


TARGETS = [
    Target("aarch64", "aarch64-linux-musl", "qemu-aarch64", sets=("neon", "portable")),
    Target("riscv64", "riscv64-linux-musl", "qemu-riscv64"),
    Target("ppc64le", "powerpc64le-linux-musl", "qemu-ppc64le"),
    Target("s390x", "s390x-linux-musl", "qemu-s390x", big_endian=True),
    # qemu 7 does not know the vector instructions that the compiler would use.
    Target("loongarch64", "loongarch64-linux-musl", "qemu-loongarch64", options=("-mno-lsx",)),
    Target("armhf", "arm-linux-musleabihf", "qemu-arm", bits=32),
    Target("i386", "x86-linux-musl", "qemu-i386", bits=32),
]


INCLUDES = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]


def zig() -> list[str]:
    """Return the command that compiles, or skip."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed (make test-cross installs it)")
    return [sys.executable, "-P", "-m", "ziglang", "cc"]


def qemu(target: Target) -> str:
    """Return the emulator, or skip."""
    found = shutil.which(target.qemu)
    if found is None:
        pytest.skip(f"{target.qemu} is not installed")
    return found


def core() -> list[Path]:
    """Return the library's source files; those of other architectures are empty here."""
    return [
        file for part in ("csrc", "csrc/chacha20") for file in sorted((ROOT / part).glob("*.c"))
    ]


def compile_for(target: Target, arguments: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Compile with Zig; warnings are errors."""
    command: list[str | Path] = [*zig(), f"--target={target.triple}", *target.options]
    command += ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread"]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        # Zig caches objects; in the user's home unless it is told where.
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(ROOT / "build" / "zig")},
    )


def compile_by_gnu(compiler: str, arguments: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Compile with GNU's compiler and linker, or skip."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    return subprocess.run([compiler, *arguments], capture_output=True, text=True, check=False)


# What tests/c puts in place of the core's files, for one of its programs.
SCRIPTED = ("scripted_kernel", "not_wiped")
REPLACED = {"scripted_kernel": {"clock", "kernel", "vvar"}, "not_wiped": {"wipe_on_fork"}}


def replaced(more: tuple[str, ...]) -> set[str]:
    """Return the names of the core's files that these take the place of."""
    return set().union(*(REPLACED.get(name, set()) for name in more))


@functools.cache
def _objects(target: Target, folder: str) -> dict[str, Path]:
    """Compile the whole core, or what programs of tests/c share, once."""
    directory = ROOT / "build" / "cross" / target.name / folder
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    shared = [ROOT / "tests" / "c" / f"{name}.c" for name in ("hooks", *SCRIPTED)]
    made = {}
    for file in core() if folder == "csrc" else shared:
        made[file.stem] = directory / f"{file.stem}.o"
        done = compile_for(target, ["-c", *INCLUDES, file, "-o", made[file.stem]])
        assert done.returncode == 0, done.stdout + done.stderr
    return made


def build(target: Target, program: str, directory: Path, more: tuple[str, ...] = ()) -> Path:
    """Build one of the programs in tests/c with the whole core in it.

    Args:
        target (Target): For what.
        program (str): Which.
        directory (Path): Where the program will be.
        more (tuple[str, ...]): Other files of tests/c that it takes.
    """
    made = directory / f"{program}-{target.name}"
    source = ROOT / "tests" / "c" / f"{program}.c"
    core_objects = _objects(target, "csrc").items()
    objects = [path for name, path in core_objects if name not in replaced(more)]
    objects += [_objects(target, "tests")[name] for name in more]
    done = compile_for(target, ["-static", *INCLUDES, *objects, source, "-o", made])
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def run(
    target: Target, program: Path, *arguments: object, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run what was built."""
    command = [qemu(target), str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120, env=env)
    if b"ERROR:../" in done.stderr:
        pytest.skip(f"{target.qemu} itself fails: {done.stderr.splitlines()[-1].decode()}")
    return done
