# SPDX-License-Identifier: MIT
"""Where refills take their entropy from: the vDSO, or the system call where that is wanted."""

from __future__ import annotations

import os

import pytest

import vgetrandom
from support import libraries, programs
from support.conditions import own_process, stateful, unless_set
from support.core import Core, new_core

INFO = vgetrandom.info()

pytestmark = [own_process, stateful]


def syscalls_of_refills(core: Core, refills: int) -> int:
    """How many getrandom calls so many refills make."""
    size = core.layout.batch_bytes - 1
    core.draw(size)
    before = core.stats()
    for _ in range(refills):
        core.draw(size)
    after = core.stats()
    assert after.refills - before.refills in range(refills - 1, refills + 10)
    return int(after.syscalls - before.syscalls)


@pytest.mark.skipif(
    INFO.kernel_entropy != "vdso",
    reason="no vDSO getrandom was found in this process, or it is not wanted",
)
def test_the_vdso_is_used_where_there_is_one() -> None:
    core = new_core()
    assert core.told("kernel_entropy") == "vdso"
    assert not any("VDSO" in note for note in core.notes())
    # A few are the system call's, so that the vDSO alone is not relied on.
    between = core.layout.max_vdso_refills + 1
    assert between >= 5
    # More if the kernel reseeds meanwhile.
    assert 20 <= syscalls_of_refills(core, 20 * between) <= 25


def test_off_is_the_system_call_and_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_VDSO", "off")
    core = new_core()
    assert core.told("kernel_entropy") == "syscall"
    assert any("VGETRANDOM_VDSO=off" in note for note in core.notes())
    assert syscalls_of_refills(core, 100) >= 99


@pytest.mark.c_program
@unless_set("VGETRANDOM_VDSO", "VGETRANDOM_MEMORY")
def test_the_kernel_is_not_blamed_for_a_vdso_that_is_hidden() -> None:
    """Valgrind hides it, for example: the kernel has it all the same."""
    hiding = {"LD_PRELOAD": str(libraries.shared("no_vdso"))}
    told = programs.report("report", env=os.environ | hiding, timeout=60)
    assert told["kernel_entropy"] == ["syscall"]
    (note,) = [note for note in told["note"] if "vDSO" in note and "refills" in note]
    assert "no vDSO getrandom was found in this process" in note
    assert "this kernel" not in note


@unless_set("VGETRANDOM_VDSO")
@pytest.mark.parametrize("value", ["on", "OFF", "0", "syscall"])
def test_a_value_that_is_not_known_is_ignored_and_a_note(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VGETRANDOM_VDSO", value)
    core = new_core()
    assert core.told("kernel_entropy") == INFO.kernel_entropy
    assert any("VGETRANDOM_VDSO has a value that is not known" in note for note in core.notes())
