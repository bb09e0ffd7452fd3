"""The core for aarch64, cross-compiled and run under qemu's user mode."""

from __future__ import annotations

import platform
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from support.libraries import ROOT
from support.reference import GROUP_BYTES, keystream

COMPILER = "aarch64-linux-gnu-gcc"
QEMU = "qemu-aarch64"

pytestmark = [
    pytest.mark.skipif(platform.machine() == "aarch64", reason="test_chacha20.py runs it here"),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"{COMPILER} is not installed"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


def compiled(name: str, directory: Path) -> Path:
    binary = directory / name
    files = [
        *(ROOT / "csrc").glob("*.c"),
        *(ROOT / "csrc" / "chacha20").glob("*.c"),
        ROOT / "tests" / "c" / f"{name}.c",
    ]
    options = ["-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread"]
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    subprocess.run([COMPILER, *options, *includes, *files, "-o", binary], check=True)
    return binary


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("chacha20_vectors", tmp_path_factory.mktemp("aarch64"))


def computed(vectors: Path, *arguments: object) -> bytes:
    return subprocess.run(
        [QEMU, vectors, *map(str, arguments)], stdout=subprocess.PIPE, check=True
    ).stdout


@pytest.mark.parametrize("name", ["neon", "portable"])
def test_against_another_implementation(vectors: Path, name: str, rounds: int) -> None:
    rng = random.Random(name)
    counters = [0, 2**32 - 16, 2**32 - 32, 2**33 - 16, 2**64 - 16]
    for groups in [*range(5), *(rng.randrange(20) for _ in range(2 * rounds))]:
        key, counter = rng.randbytes(32), rng.choice([*counters, 16 * rng.randrange(2**60)])
        nonce = rng.randrange(2**64)
        expected = keystream(key, groups * GROUP_BYTES, counter, nonce)
        arguments = (name, key.hex(), counter, nonce, groups, rng.randrange(64))
        assert computed(vectors, *arguments) == expected


def test_children_share_nothing_although_advice_is_taken_in_name_only(tmp_path: Path) -> None:
    """qemu says yes to MADV_WIPEONFORK, as to any other number, and wipes nothing."""
    program = compiled("fork_once", tmp_path)
    done = subprocess.run([QEMU, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "memory=none\n" in done.stdout
    assert "every request is a getrandom(2) call" in done.stdout
