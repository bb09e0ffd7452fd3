# SPDX-License-Identifier: MIT
"""Where states live, as the kernel tells it; and that a core dump has nothing of them."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vgetrandom
from support import libraries
from support.mappings import Mapping, mapping_of
from support.running import in_child, in_thread
from support.script import Kernel

INFO = vgetrandom.info()
unlimited = pytest.mark.skipif(
    "VGETRANDOM_MEMORY" in os.environ, reason="VGETRANDOM_MEMORY is set for this run"
)


own_process = pytest.mark.own_process


def drawn(memory: str | None, monkeypatch: pytest.MonkeyPatch) -> tuple[Kernel, Mapping | None]:
    """A core that has drawn under that limit, and the mapping of its state."""
    if memory:
        monkeypatch.setenv("VGETRANDOM_MEMORY", memory)
    kernel = Kernel(libraries.fresh("scripted"))
    kernel.draw(16)
    state = kernel.lib.hook_state()
    if state == kernel.ffi.NULL:
        return kernel, None
    return kernel, mapping_of(int(kernel.ffi.cast("uintptr_t", state)))


@own_process
@unlimited
@pytest.mark.skipif(INFO.memory != "droppable", reason=f"memory is {INFO.memory} on this machine")
def test_droppable(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, mapping = drawn(None, monkeypatch)
    assert mapping is not None
    assert {"dp", "wf", "dd"} <= mapping.flags
    # Not in huge pages: one drop would wipe many states.
    assert "nh" in mapping.flags
    assert kernel.text(kernel.info().memory) == "droppable"
    assert kernel.info().state_bytes == resource.getpagesize()


@own_process
@pytest.mark.skipif(INFO.memory == "none", reason="MADV_WIPEONFORK is not to be had here")
def test_wipe_on_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, mapping = drawn("wipe-on-fork", monkeypatch)
    assert mapping is not None
    assert {"wf", "dd"} <= mapping.flags
    assert "dp" not in mapping.flags
    notes = " ".join(kernel.notes())
    # Locked, or else it says so.
    assert ("lo" in mapping.flags) != ("mlock was refused" in notes)
    assert kernel.text(kernel.info().memory) == "wipe-on-fork"
    assert "VGETRANDOM_MEMORY=wipe-on-fork" in notes


@own_process
@pytest.mark.skipif(INFO.memory == "none", reason="MADV_WIPEONFORK is not to be had here")
def test_a_child_s_threads_are_locked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are not inherited; and this child's main thread has never drawn."""
    monkeypatch.setenv("VGETRANDOM_MEMORY", "wipe-on-fork")
    kernel = Kernel(libraries.fresh("scripted"))

    def draw() -> None:
        kernel.draw(16)
        state = int(kernel.ffi.cast("uintptr_t", kernel.lib.hook_state()))
        refused = any("mlock was refused" in note for note in kernel.notes())
        assert ("lo" in mapping_of(state).flags) != refused

    def child() -> bytes:
        in_thread(draw)
        return b"locked"

    in_thread(draw)
    assert in_child(child) == b"locked"


@own_process
def test_wipe_on_fork_that_cannot_be_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_MEMORY", "wipe-on-fork")
    kernel = Kernel(libraries.fresh("scripted"))
    if os.geteuid() == 0:
        # Root may lock whatever it likes (CAP_IPC_LOCK); nobody may not.
        os.setresuid(65534, 65534, 65534)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    kernel.draw(16)
    assert any("can be written to swap" in note for note in kernel.notes())


@own_process
def test_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, mapping = drawn("none", monkeypatch)
    assert mapping is None
    calls = kernel.calls
    assert kernel.draw(1000) == kernel.answer(calls, 1000)
    assert kernel.calls == calls + 1
    info = kernel.info()
    assert kernel.text(info.memory) == "none"
    assert kernel.text(info.kernel_entropy) == "syscall"
    assert (info.state_bytes, info.batch_bytes) == (0, 0)
    assert "VGETRANDOM_MEMORY=none: every request is a getrandom(2) call" in kernel.notes()


@own_process
def test_what_is_not_known_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, mapping = drawn("droppable please", monkeypatch)
    assert kernel.text(kernel.info().memory) == INFO.memory or "VGETRANDOM_MEMORY" in os.environ
    assert (mapping is None) == (kernel.info().state_bytes == 0)
    assert any("VGETRANDOM_MEMORY has a value that is not known" in n for n in kernel.notes())


def test_states_are_pages_of_their_own() -> None:
    ffi, lib = libraries.hooked()
    if INFO.memory == "none":
        pytest.skip("no states are kept")
    addresses = []

    def note_state() -> None:
        buffer = ffi.new("uint8_t[]", 16)
        assert lib.vgetrandom(buffer, 16, 0) == 16
        addresses.append(int(ffi.cast("uintptr_t", lib.hook_state())))

    note_state()
    in_thread(note_state)
    assert all(address % resource.getpagesize() == 0 for address in addresses)
    assert addresses[0] != addresses[1]


# --- core dumps ---

# Its key and its batch go out straight from their page: there is no other copy of them. The
# canary lies in ordinary memory.
DUMPED = """
import os, resource, signal, sys
sys.path.insert(0, {tests!r})
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from support import libraries
ffi, lib = libraries.hooked()
layout = ffi.new("struct hook_layout *")
lib.hook_layout(layout)
canary = bytearray(os.urandom(64))
buffer = ffi.new("uint8_t[]", 160)
assert lib.vgetrandom(buffer, 160, 0) == 160
page = ffi.cast("char *", lib.hook_state())
os.write(1, canary)
os.write(1, ffi.buffer(page + layout.key, 32 + layout.batch_bytes))
os.close(1)
ready = sys.stdin.readline()
os.abort()
"""


def core_by_the_kernel(pid: int, directory: Path) -> Path | None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or "|" in pattern or not pattern:
        return None
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return next(directory.glob("core*"), None)


def core_by_gdb(pid: int, directory: Path) -> Path | None:
    gcore = shutil.which("gcore")
    if gcore is None:
        return None
    done = subprocess.run(
        [gcore, "-o", str(directory / "gcore"), str(pid)], capture_output=True, check=False
    )
    return directory / f"gcore.{pid}" if done.returncode == 0 else None


@pytest.mark.skipif(INFO.memory == "none", reason="no states: there is nothing to be found")
@pytest.mark.parametrize("dump", ["kernel", "gcore"])
def test_core_dump_has_neither_key_nor_batch(dump: str, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", DUMPED.format(tests=str(Path(__file__).parents[1]))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {libraries.BUILT: str(libraries.build())},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child, child.stdin, child.stdout:
        secrets = child.stdout.read()
        if dump == "kernel":
            child.stdin.write(b"\n")
            child.stdin.flush()
            core = core_by_the_kernel(child.pid, tmp_path)
        else:
            core = core_by_gdb(child.pid, tmp_path)
            child.kill()
    if core is None:
        pytest.skip(
            "no core dump to be had: kernel.core_pattern is not a plain file name, or no limit"
            if dump == "kernel"
            else "no core dump to be had: gcore (of gdb) is not installed or may not trace"
        )
    if dump == "kernel":
        assert child.returncode == -signal.SIGABRT
    canary, key, batch = secrets[:64], secrets[64:96], secrets[96 + 160 :]
    dumped = core.read_bytes()
    assert canary in dumped
    assert key not in dumped
    assert any(batch[:16])
    for at in range(0, len(batch), 16):
        assert batch[at : at + 16] not in dumped
