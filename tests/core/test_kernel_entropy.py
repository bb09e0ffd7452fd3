# SPDX-License-Identifier: MIT
"""Where refills take their entropy from: the vDSO, or the system call where that is wanted."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

import vgetrandom
from support import libraries

INFO = vgetrandom.info()

pytestmark = [
    pytest.mark.own_process,
    pytest.mark.skipif(INFO.memory == "none", reason="no states: there are no refills"),
]


def text(ffi: Any, string: Any) -> str:
    raw: bytes = ffi.string(string)
    return raw.decode()


def told(library: libraries.Library) -> tuple[str, list[str]]:
    """What a core over the running kernel says of its entropy, and its notes."""
    ffi, lib = library
    info = ffi.new("struct vgetrandom_info *")
    lib.vgetrandom_get_info(info)
    notes = [text(ffi, note) for note in info.notes if note != ffi.NULL]
    return text(ffi, info.kernel_entropy), notes


def layout_of(library: libraries.Library) -> Any:
    ffi, lib = library
    layout = ffi.new("struct hook_layout *")
    lib.hook_layout(layout)
    return layout


def syscalls_of_refills(library: libraries.Library, refills: int) -> int:
    """How many getrandom calls so many refills make."""
    ffi, lib = library
    size = layout_of(library).batch_bytes - 1
    buffer = ffi.new("uint8_t[]", size)
    before, after = (ffi.new("struct vgetrandom_stats *") for _ in range(2))
    lib.vgetrandom(buffer, size, 0)
    lib.vgetrandom_get_stats(before)
    for _ in range(refills):
        assert lib.vgetrandom(buffer, size, 0) == size
    lib.vgetrandom_get_stats(after)
    assert after.refills - before.refills in range(refills - 1, refills + 10)
    return int(after.syscalls - before.syscalls)


@pytest.mark.skipif(
    INFO.kernel_entropy != "vdso",
    reason="no vDSO getrandom was found in this process, or it is not wanted",
)
def test_vdso_is_taken_where_there_is_one() -> None:
    library = libraries.fresh("hooked")
    entropy, notes = told(library)
    assert entropy == "vdso"
    assert not any("VDSO" in note for note in notes)
    # A few are the system call's, so that the vDSO alone is not relied on.
    between = layout_of(library).max_vdso_refills + 1
    assert between >= 5
    # More if the kernel reseeds meanwhile.
    assert 20 <= syscalls_of_refills(library, 20 * between) <= 25


def test_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_VDSO", "off")
    library = libraries.fresh("hooked")
    entropy, notes = told(library)
    assert entropy == "syscall"
    assert any("VGETRANDOM_VDSO=off" in note for note in notes)
    assert syscalls_of_refills(library, 100) >= 99


@pytest.mark.skipif(
    bool({"VGETRANDOM_VDSO", "VGETRANDOM_MEMORY"} & set(os.environ)) or INFO.memory == "none",
    reason="no states are kept, or the vDSO is not wanted",
)
def test_a_vdso_that_is_hidden_is_not_the_kernel_s_fault() -> None:
    """As valgrind hides it: the kernel has it all the same."""
    done = subprocess.run(
        [libraries.program("report")],
        env=os.environ | {"LD_PRELOAD": str(libraries.build() / "libno_vdso.so")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "kernel_entropy=syscall" in done.stdout
    (note,) = [line for line in done.stdout.splitlines() if "vDSO" in line and "refills" in line]
    assert "no vDSO getrandom was found in this process" in note
    assert "this kernel" not in note


@pytest.mark.skipif("VGETRANDOM_VDSO" in os.environ, reason="VGETRANDOM_VDSO is set for this run")
@pytest.mark.parametrize("value", ["on", "OFF", "0", "syscall"])
def test_what_is_not_known_is_reported(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_VDSO", value)
    entropy, notes = told(libraries.fresh("hooked"))
    assert entropy == INFO.kernel_entropy
    assert any("VGETRANDOM_VDSO has a value that is not known" in note for note in notes)
