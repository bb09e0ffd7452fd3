# SPDX-License-Identifier: MIT
"""Every row of `vgetrandom doctor` on the running kernel, and that each probe can say no."""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import seccomp
from vgetrandom import doctor, droppable
from vgetrandom._probes import PROBES, cgroup, dropping, generator, mapping, secrecy
from vgetrandom._probes.libc import libc
from vgetrandom._probes.memory import in_child, ordinary
from vgetrandom._probes.prober import NotHere, Probe, run_one
from vgetrandom.cli import doctor as command_line
from vgetrandom.doctor import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

NAMES = [probe.name for probe in PROBES]


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    """What this kernel does; as root with a swap file of our own where there is no swap."""
    return {row.name: row for row in doctor.diagnose(thorough=os.geteuid() == 0)}


@pytest.mark.parametrize("name", NAMES)
def test_this_kernel_does_what_is_expected(name: str, rows: dict[str, Row]) -> None:
    row = rows[name]
    if row.ok is None:
        pytest.skip(row.observed)
    assert row.ok, row.observed
    assert row.expected
    assert row.observed


def test_rows_are_complete_and_named_once(rows: dict[str, Row]) -> None:
    assert list(rows) == NAMES
    assert len(set(NAMES)) == len(NAMES)


# --- each probe can fail ---

# These do not look at memory that a test can exchange.
UNTOUCHED = {"mmap(MAP_DROPPABLE)", "generation counter", "MADV_WIPEONFORK"}
MAP_PRIVATE = 0x02


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNTOUCHED])
def test_ordinary_memory_is_told_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ordinary memory in place of droppable memory no probe says yes."""
    modules: Sequence[ModuleType] = (mapping, dropping, secrecy, cgroup)
    for module in modules:
        monkeypatch.setattr(module, "droppable", ordinary)
    for module in (mapping, dropping, generator):
        monkeypatch.setattr(module, "MAP_DROPPABLE", MAP_PRIVATE)
    monkeypatch.setattr(secrecy, "thorough", os.geteuid() == 0)
    if name == "MAP_DROPPABLE|MAP_SHARED":
        # Both type bits together make a type that is refused, for lack of a file.
        monkeypatch.setattr(mapping, "MAP_DROPPABLE", 0)
    (probe,) = (probe for probe in PROBES if probe.name == name)
    row = run_one(probe)
    if row.ok is None:
        pytest.skip(row.observed)
    assert row.ok is False, row.observed


def test_a_kernel_without_it_contradicts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # A type of mapping that no kernel has, as this one is none to an older kernel.
    monkeypatch.setattr(droppable, "MAP_DROPPABLE", 0x0C)
    rows = {probe.name: run_one(probe) for probe in PROBES}
    others = {"vDSO getrandom", "generation counter", "MADV_WIPEONFORK"}
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():  # a bare chroot has no /sys
        others.add("transparent huge page")
    for name in set(NAMES) - others:
        assert rows[name].ok is None, rows[name].observed
        assert "needs Linux 6.11" in rows[name].observed


@pytest.mark.parametrize("locked", [0, 16 << 10, 64 << 10, 256 << 10])
@pytest.mark.parametrize("name", NAMES)
def test_limits_are_no_contradiction(name: str, locked: int) -> None:
    (probe,) = (probe for probe in PROBES if probe.name == name)

    def limited() -> tuple[bool, str]:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
            libc.prctl(4, 1)  # PR_SET_DUMPABLE: /proc/self stays ours
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked, locked))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return probe.run()

    row = run_one(probe._replace(run=limited))
    assert row.ok is not False, row.observed


@pytest.mark.parametrize("call", ["madvise", "mlock", "mlockall", "mmap", "mremap"])
def test_a_sandbox_is_no_contradiction(call: str) -> None:
    seccomp.numbers()

    def in_sandbox(probe: Probe) -> Row:
        def run() -> tuple[bool, str]:
            seccomp.refuse(call, errno.EPERM)
            return probe.run()

        return run_one(probe._replace(run=run))

    assert [row for row in map(in_sandbox, PROBES) if row.ok is False] == []


# --- what becomes of a probe that goes wrong ---


def crash() -> tuple[bool, str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return True, "survived"


def leave() -> tuple[bool, str]:
    os._exit(3)


def hang() -> tuple[bool, str]:
    time.sleep(60)
    return True, "woke up"


def fail() -> tuple[bool, str]:
    return bool(1 // 0), ""


def lack() -> tuple[bool, str]:
    reason = "there is none"
    raise NotHere(reason)


def deny() -> tuple[bool, str]:
    raise PermissionError(1, "Operation not permitted")


def run_short() -> tuple[bool, str]:
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def break_down() -> tuple[bool, str]:
    raise OSError(errno.EINVAL, "Invalid argument")


def be_refused() -> tuple[bool, str]:
    os.kill(os.getpid(), signal.SIGSYS)
    return True, "survived"


def fork_in_vain() -> tuple[bool, str]:
    # Not the real kill(): -1 for a process id would reach every process of this machine.
    vars(os)["kill"] = lambda *_: os._exit(9)
    return True, in_child(lambda: "", fork=lambda: -1)


@pytest.mark.parametrize(
    ("run", "ok", "observed"),
    [
        (crash, False, "crashed (SIGKILL)"),
        (leave, False, "crashed (exit status 3)"),
        (hang, False, "did not end within 0.2 s"),
        (fail, False, "ZeroDivisionError"),
        (lack, None, "there is none"),
        (deny, None, "not tried: "),
        (run_short, None, "not tried: "),
        (be_refused, None, "not tried: a sandbox"),
        (break_down, False, "Invalid argument"),
        (fork_in_vain, None, "not tried: "),
    ],
)
def test_a_probe_cannot_hurt(
    run: Callable[[], tuple[bool, str]], ok: bool | None, observed: str
) -> None:
    # A busy machine takes its time for the others.
    row = run_one(Probe("name", "expected", run), timeout=0.2 if run is hang else 60)
    assert (row.name, row.expected, row.ok) == ("name", "expected", ok)
    assert observed in row.observed


CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2


@pytest.mark.parametrize("name", ["memory pressure", "cgroup charge"])
def test_without_cgroups_nothing_is_tried_in_one(name: str, tmp_path: Path) -> None:
    """As in an initramfs, where none is mounted and /proc/self/cgroup is empty."""
    empty = tmp_path / "empty"
    empty.touch()
    everything = ctypes.CDLL(None)
    (probed,) = (probe for probe in PROBES if probe.name == name)

    def run() -> tuple[bool, str]:
        if everything.unshare(CLONE_NEWNS) or everything.mount(
            None, b"/", None, MS_REC | MS_PRIVATE, None
        ):
            raise NotHere("no mounts of its own can be had")
        for line in Path("/proc/self/mounts").read_text().splitlines():
            if line.split()[2].startswith("cgroup"):
                everything.umount2(line.split()[1].encode(), MNT_DETACH)
        mine = f"/proc/{os.getpid()}/cgroup".encode()
        if everything.mount(os.fsencode(empty), mine, None, MS_BIND, None):
            raise NotHere("nothing can be mounted in /proc")
        return probed.run()

    row = run_one(Probe(name, "expected", run))
    assert row.ok is None, row.observed
    if "can be had" in row.observed or "in /proc" in row.observed:
        pytest.skip(row.observed)
    assert "no memory cgroup can be made here" in row.observed


# --- the command ---


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "vgetrandom", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_json() -> None:
    done = command("--json")
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == NAMES
    for row in rows:
        assert list(row) == ["name", "expected", "observed", "ok"]
        assert row["ok"] in (True, False, None)
        assert row["expected"]
        assert row["observed"]
    assert done.returncode == int(any(row["ok"] is False for row in rows))
    assert not done.stderr


def test_table_ends_in_one_sentence() -> None:
    done = command()
    head, *body, empty, last = done.stdout.splitlines()
    assert head.split() == ["ok", "property", "expected", "observed"]
    assert all(any(line.find(name) > 0 for line in body) for name in NAMES)
    assert empty == ""
    assert last.startswith(f"Linux {os.uname().release} gives vgetrandom ")
    assert last.endswith(".")


ROWS = {
    True: Row("fits", "this", "this", ok=True),
    False: Row("contradicts", "this", "that", ok=False),
    None: Row("lacks", "this", "not here", ok=None),
}


@pytest.mark.parametrize(
    ("oks", "status"),
    [((True,), 0), ((True, None), 0), ((None, None), 0), ((True, False, None), 1)],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_exit_status(
    oks: tuple[bool | None, ...], status: int, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def diagnose(*, thorough: bool) -> list[Row]:
        asked.append(thorough)
        return [ROWS[ok] for ok in oks]

    monkeypatch.setattr(doctor, "diagnose", diagnose)
    parser = argparse.ArgumentParser()
    command_line.add_arguments(parser)
    arguments = ["--json"] if as_json else ["--thorough"]
    assert command_line.run(parser.parse_args(arguments)) == status
    assert asked == [not as_json]


@pytest.mark.parametrize(
    ("ok", "sentence"),
    [
        (
            ["mmap(MAP_DROPPABLE)", "vDSO getrandom", "generation counter", "MADV_WIPEONFORK"],
            "droppable memory for its state, keys from the vDSO and a generation counter to watch.",
        ),
        (["MADV_WIPEONFORK"], "wipe-on-fork memory for its state (it can reach swap), keys by "),
        (
            [],
            "no memory that is safe for a state (every draw is a system call), keys by system call",
        ),
        (["mmap(MAP_DROPPABLE)"], "keys by system call and no generation counter to watch."),
    ],
)
def test_summary(ok: list[str], sentence: str) -> None:
    rows = [Row(name, "", "", ok=True if name in ok else None) for name in NAMES]
    assert sentence in doctor.summary(rows)


def test_summary_names_contradictions() -> None:
    rows = [Row(name, "", "", ok=name not in ("swap", "mlock()")) for name in NAMES]
    assert doctor.summary(rows).endswith("but contradicts what is documented: mlock(), swap.")


@pytest.mark.parametrize("width", [20, 80, 120, 300])
def test_table_is_aligned(width: int) -> None:
    rows = [Row("name", "words " * 20, "more words " * 30, ok=True), *ROWS.values()]
    lines = command_line.table(rows, width).splitlines()
    column = lines[0].index("observed")
    assert lines[0].index("property") == lines[1].index("name")
    assert all(len(line) <= column or line[column - 1] == " " for line in lines)
    assert max(map(len, lines)) <= max(width, 80)
    assert " ".join(line[column:].strip() for line in lines).count("more words") == 30
