# SPDX-License-Identifier: MIT
"""Sandboxes that refuse memory: draws go on, and info() says where the bytes come from."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from support import libraries, programs
from support.conditions import unless_set
from support.running import in_child
from support.script import Kernel
from support.seccomp import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

MMAP_FLAGS = 3
MAP_TYPE = 0x0F
MAP_DROPPABLE = 0x08

unlimited = unless_set("VGETRANDOM_MEMORY")


def sandboxed(sandbox: Callable[[], None]) -> tuple[str, str]:
    """Enter a sandbox in a child and draw there for the first time; return memory and notes."""

    def child() -> bytes:
        kernel = Kernel(libraries.fresh("scripted"))
        try:
            sandbox()
        except OSError as error:
            return f"skip\n{error}".encode()
        outputs = [kernel.draw(16) for _ in range(300)]
        outputs.append(in_child(lambda: kernel.draw(16)))
        outputs.append(kernel.draw(16))
        assert len(set(outputs)) == 302
        return "\n".join([kernel.told("memory"), *kernel.notes()]).encode()

    memory, _, notes = in_child(child).decode().partition("\n")
    if memory == "skip":
        pytest.skip(notes)
    return memory, notes


@unlimited
@pytest.mark.parametrize("error", [errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, 524])
def test_without_droppable_memory_states_are_wiped_on_fork(error: int) -> None:
    """Sandboxes and kernels before 6.11 answer like this."""
    memory, notes = sandboxed(lambda: refuse("mmap", error, MMAP_FLAGS, MAP_TYPE, MAP_DROPPABLE))
    assert memory == "wipe-on-fork"
    assert "MAP_DROPPABLE was refused" in notes


@unlimited
def test_without_any_memory_a_note_says_so() -> None:
    memory, notes = sandboxed(lambda: refuse("mmap", errno.EPERM))
    assert memory == "none"
    assert "neither MAP_DROPPABLE nor MADV_WIPEONFORK memory is available" in notes


def test_advice_that_is_taken_in_name_only_is_found_out() -> None:
    """qemu's user mode does so: MADV_WIPEONFORK "succeeds", and forks wipe nothing."""
    memory, notes = sandboxed(lambda: refuse("madvise", 0))
    assert memory == "none"
    assert "memory is available" in notes or "VGETRANDOM_MEMORY=none" in notes


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EPERM])
def test_pages_that_perhaps_cannot_be_read_are_not_read(error: int) -> None:
    """EINVAL is also the answer for a page that can be read: it settles nothing."""

    def child() -> bytes:
        ffi, lib = libraries.fresh("hooked")
        refuse("rt_sigprocmask", error)
        buffer = ffi.new("uint8_t[]", 16)
        assert all(lib.vgetrandom(buffer, 16, 0) == 16 for _ in range(1000))
        info = ffi.new("struct vgetrandom_info *")
        lib.vgetrandom_get_info(info)
        return bytes(ffi.string(info.watch))

    assert in_child(child) in {b"none", b"vmclock"}


@pytest.mark.c_program
def test_a_c_program_without_memory_makes_system_calls() -> None:
    said = programs.report("report", "no-mmap")
    assert said["memory"] == ["none"]
    assert said["kernel_entropy"] == ["syscall"]
    assert said["watch"] == ["none"]
    assert any("every request is a getrandom(2) call" in note for note in said["note"])
    assert int(said["fallbacks"][0]) >= 2


@pytest.mark.c_program
@unlimited
def test_threads_for_which_there_is_no_more_memory_make_system_calls() -> None:
    # The others keep their states.
    usual = programs.report("report")
    said = programs.report("report", "no-mmap-later")
    assert said["memory"] == usual["memory"]
    if said["memory"] != ["none"]:
        assert 1 <= int(said["first"][0]) < 81
        assert int(said["first"][0]) + int(said["fallbacks"][0]) >= 81
