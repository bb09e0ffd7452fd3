# SPDX-License-Identifier: MIT
"""Which memory states live in, as the kernel tells it."""

from __future__ import annotations

import os
import resource

import pytest

import vgetrandom
from support.conditions import own_process, stateful, unless_set
from support.core import Core
from support.libraries import hooked
from support.mappings import Mapping, mapping_of
from support.running import in_child, in_thread
from support.script import Kernel, new_kernel

INFO = vgetrandom.info()
NOBODY = 65534


def address_of_state(core: Core) -> int:
    """Where the calling thread's state is; 0 where it has none."""
    return int(core.ffi.cast("uintptr_t", core.lib.hook_state()))


def mapping_of_state(core: Core) -> Mapping:
    return mapping_of(address_of_state(core))


def drawn_under(memory: str, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A core that has drawn with VGETRANDOM_MEMORY set to that."""
    monkeypatch.setenv("VGETRANDOM_MEMORY", memory)
    kernel = new_kernel()
    kernel.draw(16)
    return kernel


def lock_was_refused(kernel: Kernel) -> bool:
    return any("mlock was refused" in note for note in kernel.notes())


@own_process
@unless_set("VGETRANDOM_MEMORY")
@pytest.mark.skipif(INFO.memory != "droppable", reason=f"memory is {INFO.memory} on this machine")
def test_the_best_is_droppable_wiped_on_fork_not_dumped_and_not_in_huge_pages() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    # Not in huge pages: one drop would wipe many states.
    assert {"dp", "wf", "dd", "nh"} <= mapping_of_state(kernel).flags
    assert kernel.told("memory") == "droppable"
    assert kernel.info().state_bytes == resource.getpagesize()


@own_process
@stateful
def test_wipe_on_fork_memory_is_locked_or_a_note_says_why_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = drawn_under("wipe-on-fork", monkeypatch)
    mapping = mapping_of_state(kernel)
    assert {"wf", "dd"} <= mapping.flags
    assert not mapping.droppable
    assert ("lo" in mapping.flags) != lock_was_refused(kernel)
    assert kernel.told("memory") == "wipe-on-fork"
    assert any("VGETRANDOM_MEMORY=wipe-on-fork" in note for note in kernel.notes())


@own_process
@stateful
def test_a_child_s_threads_are_locked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are not inherited; and this child's main thread has never drawn."""
    monkeypatch.setenv("VGETRANDOM_MEMORY", "wipe-on-fork")
    kernel = new_kernel()

    def draw() -> None:
        kernel.draw(16)
        assert ("lo" in mapping_of_state(kernel).flags) != lock_was_refused(kernel)

    def child() -> bytes:
        in_thread(draw)
        return b"locked"

    in_thread(draw)
    assert in_child(child) == b"locked"


@own_process
def test_a_note_says_that_memory_which_cannot_be_locked_can_be_swapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VGETRANDOM_MEMORY", "wipe-on-fork")
    kernel = new_kernel()
    if os.geteuid() == 0:
        # Root may lock whatever it likes (CAP_IPC_LOCK); nobody may not.
        os.setresuid(NOBODY, NOBODY, NOBODY)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    kernel.draw(16)
    assert any("can be written to swap" in note for note in kernel.notes())


@own_process
def test_without_memory_every_request_is_a_system_call(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = drawn_under("none", monkeypatch)
    assert not address_of_state(kernel)
    calls = kernel.calls
    assert kernel.draw(1000) == kernel.answer(calls, 1000)
    assert kernel.calls == calls + 1
    info = kernel.info()
    assert kernel.told("memory") == "none"
    assert kernel.told("kernel_entropy") == "syscall"
    assert (info.state_bytes, info.batch_bytes) == (0, 0)
    assert "VGETRANDOM_MEMORY=none: every request is a getrandom(2) call" in kernel.notes()


@own_process
def test_a_value_that_is_not_known_is_ignored_and_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = drawn_under("droppable please", monkeypatch)
    assert kernel.told("memory") == INFO.memory or "VGETRANDOM_MEMORY" in os.environ
    assert bool(address_of_state(kernel)) == (kernel.info().state_bytes != 0)
    assert any("VGETRANDOM_MEMORY has a value that is not known" in n for n in kernel.notes())


@stateful
def test_states_are_pages_of_their_own() -> None:
    core = Core(hooked())
    addresses = []

    def note_state() -> None:
        core.draw(16)
        addresses.append(address_of_state(core))

    note_state()
    in_thread(note_state)
    assert all(address % resource.getpagesize() == 0 for address in addresses)
    assert addresses[0] != addresses[1]
