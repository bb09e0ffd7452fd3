# SPDX-License-Identifier: MIT
"""The core on other architectures: cross-compiled without a warning, run under qemu's user mode."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from cross import toolchain
from cross.toolchain import TARGETS, Target
from support import programs
from support.libraries import ROOT
from support.reference import GROUP_BYTES, keystream

if TYPE_CHECKING:
    from pathlib import Path

# Bytes of stack, by vgetrandom.h.
PROMISED = 2048
PROMISED_ON_AARCH64 = 1536

for_every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cross")


@for_every_target
def test_keystream(target: Target, directory: Path) -> None:
    toolchain.qemu(target)
    program = toolchain.build(target, "chacha20_vectors", directory)
    rng = random.Random(target.name)
    for name in target.sets:
        for groups, counter in [(1, 0), (3, 2**32 - 16), (2, 2**64 - 16), (7, 16)]:
            key, nonce = rng.randbytes(32), rng.randrange(2**64)
            arguments = (name, key.hex(), counter, nonce, groups, rng.randrange(64))
            done = toolchain.run(target, program, *arguments)
            assert done.returncode == 0, (name, done.stderr)
            assert done.stdout == keystream(key, groups * GROUP_BYTES, counter, nonce)


@for_every_target
def test_draws_and_children(target: Target, directory: Path) -> None:
    """Parent and child share nothing, whatever the emulator makes of MADV_WIPEONFORK."""
    toolchain.qemu(target)
    done = toolchain.run(target, toolchain.build(target, "fork_once", directory))
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"memory=" in done.stdout


@for_every_target
@pytest.mark.c_program
def test_draws_are_the_same_everywhere(target: Target, directory: Path) -> None:
    """The whole protocol over the scripted kernel, against this machine's build of it."""
    toolchain.qemu(target)
    program = toolchain.build(target, "scripted_draws", directory, ("hooks", *toolchain.SCRIPTED))
    here = programs.end("scripted_draws").stdout
    assert here.count("draw=") > 100
    done = toolchain.run(target, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == here


# What else runs under an emulator, in a second or two. Where it wipes nothing on fork no states are
# kept, and the kernel serves what these draw.
PROGRAMS = {
    "signals": ("signal_draws", (20_000,), ()),
    "no-key": ("no_key", (20,), ()),
    "cancelled": ("cancelled", ("draw",), ()),
    "cancelled-preparing": ("cancelled", ("prepare",), ()),
    "fork-in-draw": ("fork_in_draw", (10,), ()),
    "thread-exit": ("thread_exit", (20,), ("hooks",)),
    "fork-threads": ("fork_threads", (2, 4, "fork", "main", "first"), ("hooks",)),
    "thread-start": ("thread_start", (2,), ()),
}


@for_every_target
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(target: Target, name: str, directory: Path) -> None:
    toolchain.qemu(target)
    source, arguments, more = PROGRAMS[name]
    program = toolchain.build(target, source, directory, more)
    done = toolchain.run(target, program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@for_every_target
def test_environment(target: Target, directory: Path) -> None:
    toolchain.qemu(target)
    program = toolchain.build(target, "environment", directory)
    for when in ("early", "late"):
        limits = {"VGETRANDOM_MEMORY": "none", "VGETRANDOM_CHACHA20": "portable"}
        told = toolchain.run(target, program, when, env=os.environ | limits)
        assert told.returncode == 0, told.stderr
        assert b"chacha20=portable\nmemory=none\n" in told.stdout
        assert b"VGETRANDOM_MEMORY=none" in told.stdout
        told = toolchain.run(target, program, when, env=os.environ | {"VGETRANDOM_VDSO": "x"})
        assert b"VGETRANDOM_VDSO has a value that is not known" in told.stdout or (
            b"memory=none" in told.stdout
        )


@for_every_target
def test_stack_depth(target: Target, directory: Path) -> None:
    toolchain.qemu(target)
    program = toolchain.build(target, "stack_depth", directory)
    done = toolchain.run(target, program)
    assert done.returncode == 0, done.stderr
    depths = dict(line.split("=") for line in done.stdout.decode().splitlines())
    assert depths.keys() == {"first", "later", "reseeding", "child"}
    promised = PROMISED_ON_AARCH64 if target.name == "aarch64" else PROMISED
    assert max(map(int, depths.values())) <= promised, depths


def elf_words(target: Target) -> str:
    return ">" if target.big_endian else "<"


def first_address(image: bytes, target: Target) -> int:
    """Where the first segment is to be loaded, as its header says."""
    order = elf_words(target)
    if target.bits == 64:
        (offset,) = struct.unpack_from(order + "Q", image, 32)
        return int(
            struct.unpack_from(order + "Q", image, offset_of_load(image, target, offset) + 16)[0]
        )
    (offset,) = struct.unpack_from(order + "I", image, 28)
    return int(struct.unpack_from(order + "I", image, offset_of_load(image, target, offset) + 8)[0])


def offset_of_load(image: bytes, target: Target, offset: int) -> int:
    size = 56 if target.bits == 64 else 32
    while struct.unpack_from(elf_words(target) + "I", image, offset)[0] != 1:
        offset += size
    return offset


@for_every_target
@pytest.mark.parametrize("tables", ["gnu", "sysv", "both"])
def test_vdso_tables(target: Target, tables: str, directory: Path) -> None:
    """A library that is to be loaded elsewhere than at 0, with each kind of hash table."""
    toolchain.qemu(target)
    source, library = directory / "vdso.c", directory / f"{target.name}-{tables}.so"
    source.write_text("int other(void) { return 1; }\nint __vdso_something(void) { return 2; }\n")
    linking = ["-shared", "-nostdlib", "-fPIC", f"-Wl,--hash-style={tables}"]
    if target.name == "s390x" and tables != "gnu":
        # Zig's linker writes 32-bit words into DT_HASH, where this ABI has 64-bit ones.
        done = toolchain.compile_by_gnu(
            "s390x-linux-gnu-gcc", [*linking, "-Wl,-Ttext-segment=0x200000", source, "-o", library]
        )
    else:
        linking.append("-Wl,--image-base=0x200000")
        done = toolchain.compile_for(target, [*linking, source, "-o", library])
    if "image-base" in done.stderr or "hash-style" in done.stderr:
        pytest.skip(f"this linker does not do that: {done.stderr.strip().splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    image = library.read_bytes()
    names = subprocess.run(
        ["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True, check=True
    ).stdout
    (line,) = [line for line in names.splitlines() if line.endswith("__vdso_something")]
    expected = int(line.split()[1], 16) - first_address(image, target)
    program = toolchain.build(target, "vdso_image", directory)
    found = toolchain.run(target, program, library, "__vdso_something")
    assert int(found.stdout) == expected
    assert int(toolchain.run(target, program, library, "__vdso_nothing").stdout) == -1


def test_what_has_no_64_bit_atomics_is_refused(directory: Path) -> None:
    mips = Target("mips", "mips-linux-musleabi", "qemu-mips", bits=32, big_endian=True)
    done = toolchain.compile_for(
        mips, ["-c", ROOT / "csrc" / "slots.c", "-o", directory / "slots.o"]
    )
    assert done.returncode != 0
    assert "64-bit atomic" in done.stderr


def test_x32_builds(directory: Path) -> None:
    x32 = Target("x32", "x86_64-linux-muslx32", "qemu-x86_64", bits=32)
    toolchain.build(x32, "report", directory)
