# SPDX-License-Identifier: MIT
"""The core for other machines, cross-compiled and run under qemu's user mode."""

from __future__ import annotations

import functools
import os
import platform
import random
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cross import toolchain
from support import programs
from support.libraries import ROOT, chacha20_sets, program
from support.reference import GROUP_BYTES, keystream

OPTIONS = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", *toolchain.INCLUDES]


@dataclass(frozen=True)
class Machine:
    """A kind of machine that is not this one."""

    name: str

    def compile(self, name: str, directory: Path, *more: str) -> Path:
        """Compile a program of tests/c with the core in it, or skip the test.

        Args:
            name (str): The program.
            directory (Path): Where it will be.
            more (str): Other files of tests/c that it takes.
        """
        compiler = f"{self.name}-linux-gnu-gcc"
        if platform.machine() == self.name:
            pytest.skip("test_chacha20.py runs it here")
        for tool in (compiler, f"qemu-{self.name}"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        binary = directory / name
        replaced = toolchain.replaced(more)
        objects = [path for path in self._core() if path.stem not in replaced]
        sources = [ROOT / "tests" / "c" / f"{each}.c" for each in (name, *more)]
        subprocess.run(
            [compiler, "-static", *OPTIONS, *objects, *sources, "-o", binary], check=True
        )
        return binary

    @functools.cache  # noqa: B019  # of the two below
    def _core(self) -> list[Path]:
        """Compile the whole core, once per session."""
        directory = Path(tempfile.mkdtemp())
        command = [f"{self.name}-linux-gnu-gcc", *OPTIONS, "-c"]

        def compile_to(source: Path) -> Path:
            made = directory / f"{source.stem}.o"
            subprocess.run([*command, source, "-o", made], check=True)
            return made

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_to, toolchain.core()))

    def run(self, program: Path, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        """Run what was compiled."""
        command = [f"qemu-{self.name}", str(program), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=False)


AARCH64 = Machine("aarch64")
S390X = Machine("s390x")  # big-endian


@pytest.mark.parametrize(
    ("machine", "name"),
    [(AARCH64, "neon"), (AARCH64, "portable"), (S390X, "portable")],
    ids=["aarch64-neon", "aarch64-portable", "s390x-portable"],
)
def test_against_another_implementation(
    machine: Machine, name: str, rounds: int, tmp_path: Path
) -> None:
    vectors = machine.compile("chacha20_vectors", tmp_path)
    rng = random.Random(name)
    counters = [0, 2**32 - 16, 2**32 - 32, 2**33 - 16, 2**64 - 16]
    for groups in [*range(5), *(rng.randrange(20) for _ in range(2 * rounds))]:
        key, counter = rng.randbytes(32), rng.choice([*counters, 16 * rng.randrange(2**60)])
        nonce = rng.randrange(2**64)
        expected = keystream(key, groups * GROUP_BYTES, counter, nonce)
        arguments = (name, key.hex(), counter, nonce, groups, rng.randrange(64))
        done = machine.run(vectors, *arguments)
        assert done.returncode == 0
        assert done.stdout == expected


@pytest.mark.c_program
@pytest.mark.parametrize("machine", [AARCH64, S390X], ids=lambda machine: machine.name)
def test_draws_are_the_same_everywhere(machine: Machine, tmp_path: Path) -> None:
    """The whole protocol over the scripted kernel, with glibc; tests/cross has musl."""
    program = machine.compile("scripted_draws", tmp_path, "hooks", *toolchain.SCRIPTED)
    done = machine.run(program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == programs.end("scripted_draws").stdout


@pytest.mark.c_program
@pytest.mark.parametrize("name", chacha20_sets())
def test_as_built_for_this_machine(name: str, rounds: int) -> None:
    rng = random.Random(name)
    for groups in [*range(5), *(rng.randrange(20) for _ in range(2 * rounds))]:
        key, counter, nonce = rng.randbytes(32), 16 * rng.randrange(2**60), rng.randrange(2**64)
        words = map(str, (name, key.hex(), counter, nonce, groups, rng.randrange(64)))
        done = subprocess.run(
            [program("chacha20_vectors"), *words], capture_output=True, check=False, timeout=60
        )
        if done.returncode == 77:
            pytest.skip(f"this CPU has no {name}")
        assert done.returncode == 0, done.stderr
        assert done.stdout == keystream(key, groups * GROUP_BYTES, counter, nonce)


def test_children_share_nothing_whatever_the_emulator_makes_of_advice(tmp_path: Path) -> None:
    """qemu 7 and 10 say yes to MADV_WIPEONFORK, as to any number, and wipe nothing; qemu 11 wipes.

    The program complains about what a child has in common with its parent.
    """
    done = AARCH64.run(AARCH64.compile("fork_once", tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    alone = b"every request is a getrandom(2) call" in done.stdout
    assert f"memory={'none' if alone else 'wipe-on-fork'}\n".encode() in done.stdout
