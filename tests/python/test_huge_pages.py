# SPDX-License-Identifier: MIT
"""Large results are in huge pages: the advice is given, and no answer to it shows in the result."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vgetrandom
from support.mappings import mapping_of
from vgetrandom import random_bytes

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="the advice is the extension module's"
)
MIB = 1 << 20
ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
THREE_LARGE_RESULTS = """
from vgetrandom import random_bytes
for _ in range(3):
    data = random_bytes(8 << 20)
    assert len(data) == 8 << 20 and data.count(0) < 1 << 16, data.count(0)
"""


def skip_without_huge_pages() -> None:
    if not ENABLED.exists():
        pytest.skip("this kernel has no transparent huge pages")
    if "[never]" in ENABLED.read_text():
        pytest.skip(f"transparent huge pages are off: {ENABLED} says never")


@pytest.mark.own_process
def test_a_large_result_is_advised_and_a_small_one_is_not() -> None:
    skip_without_huge_pages()
    give_every_object_a_mapping_of_its_own()
    # "hg" is the advice that the kernel was given. Whether it has a huge page to spare is another
    # matter, and changes by the moment.
    small, large = random_bytes(3 * MIB), random_bytes(64 * MIB)
    assert "hg" not in mapping_of(id(small) + MIB).flags
    advised = mapping_of(id(large) + MIB)
    assert "hg" in advised.flags
    # Only the object's own pages.
    assert id(large) <= advised.start
    assert advised.end <= id(large) + sys.getsizeof(large)
    assert advised.end - advised.start > 63 * MIB


def give_every_object_a_mapping_of_its_own() -> None:
    """Keep malloc from serving one from its heap, which an earlier result may have advised."""
    m_mmap_threshold = -3
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(m_mmap_threshold, 128 << 10)


def advised_under(tmp_path: Path, answer: str) -> int:
    """How often three large results ask for huge pages where the kernel gives that answer."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace is not installed")
    log = tmp_path / "log"
    inject = f"--inject=madvise:{answer}"
    command = [strace, "-f", "-o", str(log), "-e", "trace=madvise", inject, sys.executable]
    done = subprocess.run(
        [*command, "-c", THREE_LARGE_RESULTS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    # Python 3.15 asks for its own allocator's arenas, of a MiB each.
    sizes = re.findall(r"madvise\(\w+, (\d+), MADV_HUGEPAGE", log.read_text())
    return sum(int(size) > 4 * MIB for size in sizes)


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ("retval=0", 3),
        ("error=ENOMEM", 3),
        ("error=EAGAIN", 3),
        ("error=EINVAL", 1),
        ("error=EPERM", 1),
    ],
)
def test_a_refusal_is_settled_once_and_a_shortage_passes(
    tmp_path: Path, answer: str, asked: int
) -> None:
    assert advised_under(tmp_path, answer) == asked


@pytest.mark.own_process
def test_the_callers_memory_is_left_as_it_is() -> None:
    give_every_object_a_mapping_of_its_own()
    buffer = bytearray(64 * MIB)
    vgetrandom.random_bytes_into(buffer)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    assert "hg" not in mapping_of(address + MIB).flags
