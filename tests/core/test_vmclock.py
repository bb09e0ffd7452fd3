# SPDX-License-Identifier: MIT
"""A clone of the virtual machine is noticed where it has a vmclock: the next draw has a new key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support.conditions import own_process, unless_set
from support.script import Kernel, new_kernel
from support.vmclock import COUNTER, HAS_COUNTER, MARKER, clone_machine, vmclock

if TYPE_CHECKING:
    from pathlib import Path

MORE_THAN_A_BATCH = 4096
NOBODY = 65534

pytestmark = [
    own_process,
    unless_set("VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The device's file, of a machine that was never cloned."""
    path = tmp_path / "vmclock"
    path.write_bytes(vmclock())
    return path


def watches(kernel: Kernel, path: Path) -> bool:
    """Have the core open that file in place of the device's; return whether it watches it."""
    return bool(kernel.lib.hook_watch_vmclock(str(path).encode()))


def reseeds_of_a_draw(kernel: Kernel) -> int:
    """How often the next draw starts from a new key because a generation is another."""
    before = int(kernel.stats().reseeds_generation)
    kernel.draw(16)
    return int(kernel.stats().reseeds_generation) - before


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (vmclock(), COUNTER),
        (vmclock(flags=0x3FF), COUNTER),
        (vmclock(flags=0), MARKER),
        (vmclock(flags=~HAS_COUNTER & 0xFFFF, size=104), MARKER),
        (vmclock(size=111), MARKER),
    ],
    ids=["counter", "all flags", "no flags", "other flags", "no room"],
)
def test_another_generation_makes_the_next_draw_a_reseed(
    page: bytes, word: int, path: Path
) -> None:
    path.write_bytes(page)
    kernel = new_kernel()
    kernel.script.vvar_pages = 0  # the kernel's own generation cannot be watched
    kernel.draw(16)
    assert watches(kernel, path)
    kernel.draw(16)
    assert kernel.watch == "vmclock"
    other_word = COUNTER + MARKER - word
    for generation in (8, 9, 3, 0, 2**64 - 1):
        assert reseeds_of_a_draw(kernel) == 0
        clone_machine(path, generation, other_word)
        assert reseeds_of_a_draw(kernel) == 0
        clone_machine(path, generation, word)
        assert reseeds_of_a_draw(kernel) == 1
    assert any("disruption marker" in note for note in kernel.notes()) == (word == MARKER)
    if vgetrandom.info().clones != "vmgenid":
        assert kernel.told("clones") == "vmclock"


def test_it_is_watched_beside_the_kernel_s_generation(path: Path) -> None:
    kernel = new_kernel()
    kernel.draw(16)
    assert watches(kernel, path)
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    clone_machine(path, 8)
    assert reseeds_of_a_draw(kernel) == 1
    kernel.reseed()
    assert reseeds_of_a_draw(kernel) == 1


def test_a_draw_during_which_the_machine_is_cloned_is_done_again(path: Path) -> None:
    kernel = new_kernel()
    kernel.draw(16)
    assert watches(kernel, path)
    kernel.draw(16)
    fallbacks = kernel.stats().fallbacks
    # At every attempt: then the kernel serves the draw.
    with kernel.on_call(lambda call: clone_machine(path, 100 + call)):
        kernel.draw(MORE_THAN_A_BATCH)
    assert kernel.stats().fallbacks == fallbacks + 1
    kernel.draw(16)


@pytest.mark.parametrize(
    "page",
    [
        vmclock(magic=b"KLCV"),
        vmclock(size=31),
        vmclock(size=0),
        vmclock(version=2),
        vmclock(version=0),
        bytes(4096),
    ],
    ids=["magic", "size", "no size", "version", "no version", "zeros"],
)
def test_what_is_no_vmclock_is_not_watched(page: bytes, path: Path) -> None:
    path.write_bytes(page)
    kernel = new_kernel()
    assert not watches(kernel, path)
    assert not watches(kernel, path.parent / "missing")
    assert not watches(kernel, path.parent)
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"


def test_a_note_says_that_it_may_not_be_opened(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0)
    kernel = new_kernel()
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    assert not watches(kernel, path)
    assert any("may not open" in note for note in kernel.notes())
