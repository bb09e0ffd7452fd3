"""aarch64's instruction set, cross-compiled and run under qemu's user mode."""

from __future__ import annotations

import platform
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from libraries import ROOT
from reference import BLOCK_BYTES, keystream

COMPILER = "aarch64-linux-gnu-gcc"
QEMU = "qemu-aarch64"

pytestmark = [
    pytest.mark.skipif(platform.machine() == "aarch64", reason="test_chacha20.py runs it here"),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"{COMPILER} is not installed"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} is not installed"),
]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("neon") / "chacha20_vectors"
    sources = ["chacha20", "chacha20_neon", "chacha20_portable", "environment", "take"]
    files = [ROOT / "csrc" / f"{name}.c" for name in sources]
    command = [COMPILER, "-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    files.append(ROOT / "tests" / "c" / "chacha20_vectors.c")
    subprocess.run(
        [*command, f"-I{ROOT / 'csrc'}", *map(str, files), "-o", str(binary)], check=True
    )
    return binary


def computed(vectors: Path, *arguments: object) -> bytes:
    return subprocess.run(
        [QEMU, vectors, *map(str, arguments)], stdout=subprocess.PIPE, check=True
    ).stdout


@pytest.mark.parametrize("name", ["neon", "portable"])
def test_against_another_implementation(vectors: Path, name: str, rounds: int) -> None:
    rng = random.Random(name)
    counters = [0, 2**32 - 1, 2**32 - 3, 2**33 - 6, 2**64 - 2]
    for blocks in [*range(14), *(rng.randrange(200) for _ in range(2 * rounds))]:
        key, counter = rng.randbytes(32), rng.choice([*counters, rng.randrange(2**64)])
        expected = keystream(key, blocks * BLOCK_BYTES, counter)
        assert computed(vectors, name, key.hex(), counter, blocks, rng.randrange(64)) == expected
