# SPDX-License-Identifier: MIT
"""What doctor's probes change on the machine is undone, whatever ends them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.conditions import own_process
from support.running import end_of_child
from vgetrandom import doctor
from vgetrandom._probes import cgroup, secrecy, undoing
from vgetrandom._probes.memory import in_child
from vgetrandom._probes.prober import NotHere, Probe, run_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 20.0  # seconds; what takes longer has been left


@contextlib.contextmanager
def swap() -> Iterator[Path]:
    with secrecy.swap_file() as path:
        if path is None:
            raise NotHere("the machine has swap of its own")
        yield path


@contextlib.contextmanager
def group() -> Iterator[Path]:
    with cgroup.memory_group(1 << 26) as made:
        yield made.path


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    with undoing.directory() as path:
        (path / "dump").touch()
        yield path


CHANGES = {"swap": swap, "memory cgroup": group, "directory": directory}
changes = pytest.mark.parametrize("name", CHANGES)


@pytest.fixture(autouse=True)
def thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "thorough", os.geteuid() == 0)


def active() -> set[str]:
    """The files and devices with swap."""
    _, *areas = Path("/proc/swaps").read_text().splitlines()
    return {area.split()[0] for area in areas}


def observed(run: Callable[[], tuple[bool, str]], timeout: float = PATIENCE) -> str:
    """Run a probe that cannot end well; return what is said of it."""
    row = run_one(Probe("name", "expected", run), timeout)
    if row.ok is None:
        pytest.skip(row.observed)
    assert row.ok is False
    return row.observed


@changes
def test_undone_when_the_probe_is_killed(name: str, tmp_path: Path) -> None:
    def be_killed() -> tuple[bool, str]:
        with CHANGES[name]() as path:
            (tmp_path / "seen").write_text(str(path))
            assert name != "swap" or str(path) in active()
            os.killpg(0, signal.SIGKILL)
        return True, "survived"

    assert "SIGKILL" in observed(be_killed)
    path = (tmp_path / "seen").read_text()
    assert path not in active()
    assert not Path(path).exists()
    assert name != "swap" or not Path(path).parent.exists()


def state(pid: int) -> str:
    """A process's state as a letter of proc_pid_stat(5); Z also if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def gone(pid: int) -> bool:
    """Whether a process has ended, or does so soon."""
    deadline = time.monotonic() + PATIENCE
    while state(pid) != "Z":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_what_runs_in_the_cgroup_ends_when_the_probe_is_killed(tmp_path: Path) -> None:
    def be_killed_alone() -> tuple[bool, str]:
        with cgroup.memory_group(1 << 26) as group:

            def work() -> str:
                os.setsid()  # out of reach of the process that ends a probe
                (group.path / "cgroup.procs").write_text(str(os.getpid()))
                (tmp_path / "seen").write_text(f"{group.path}\n{os.getpid()}")
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(3 * PATIENCE)
                return "woke up"

            return True, in_child(work)

    assert "SIGKILL" in observed(be_killed_alone)
    path, pid = (tmp_path / "seen").read_text().split()
    assert not Path(path).exists()
    assert gone(int(pid))


def test_a_hanging_probe_cleans_up_and_takes_its_children_along(tmp_path: Path) -> None:
    def hang_in_group() -> tuple[bool, str]:
        with cgroup.memory_group(1 << 26) as group:

            def work() -> str:
                (group.path / "cgroup.procs").write_text(str(os.getpid()))
                (tmp_path / "seen").write_text(f"{group.path}\n{os.getpid()}")
                time.sleep(60)
                return "woke up"

            return True, in_child(work)

    row = run_one(Probe("name", "expected", hang_in_group), timeout=0.5)
    if row.ok is None:
        pytest.skip(row.observed)
    assert "did not end" in row.observed
    group, pid = (tmp_path / "seen").read_text().split()
    assert not Path(group).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def children() -> set[int]:
    """The processes that this thread has started."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    if not path.exists():
        pytest.skip("this kernel does not list children in /proc")
    return {int(word) for word in path.read_text().split()}


@own_process
@changes
def test_undone_although_the_process_that_undoes_is_killed(name: str) -> None:
    try:
        with CHANGES[name]() as path:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
                assert gone(pid)
            assert path.exists()
    except NotHere as reason:
        pytest.skip(str(reason))
    assert str(path) not in active()
    assert not path.exists()


def touched(path: Path, patience: float) -> bool:
    """Whether a file is there, or comes in time."""
    deadline = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_nothing_but_the_end_undoes_it_and_that_at_once(tmp_path: Path) -> None:
    def ended_by_signals(_: int) -> None:
        with undoing.undone((tmp_path / "undone").touch):
            holder = os.fork()
            if holder == 0:  # holds whatever the parent has open
                time.sleep(3 * PATIENCE)
                os._exit(0)
            (keeper,) = children() - {holder}
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(keeper, number)
            time.sleep(5 * undoing.LOOK)
            assert state(keeper) == "S"
            assert not (tmp_path / "undone").exists()
            began = time.monotonic()
        assert (tmp_path / "undone").exists()
        assert time.monotonic() - began < PATIENCE
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)

    assert end_of_child(ended_by_signals)[1] == 0


def test_undone_in_the_end_although_the_block_does_not_end(tmp_path: Path) -> None:
    with undoing.undone((tmp_path / "undone").touch, patience=0.2):
        assert touched(tmp_path / "undone", PATIENCE)


# --- a whole run ---


def left(directory: Path) -> set[str]:
    """What can be left by probes that have ended: swap, files, cgroups."""
    # Not by glob(), which on PyPy 7.3 finds nothing for a pattern with two stars.
    names = (path for path in Path("/var/tmp").iterdir() if re.match("vgetrandom-.*-", path.name))
    found = {*active(), *map(str, names)}
    # Path.glob would raise for what goes away meanwhile.
    found |= {top for top, *_ in os.walk("/sys/fs/cgroup") if "/vgetrandom-" in top}
    # The name has the process that made it: another doctor or test may be at work.
    makers = {path: re.search(r"vgetrandom-([0-9]+)-[0-9a-f]{16}", path) for path in found}
    found -= {path for path, maker in makers.items() if maker and Path("/proc", maker[1]).exists()}
    return found | {str(path) for path in directory.iterdir()}


def left_by_doctor(directory: Path, patience: float) -> set[str]:
    before = left(directory)
    doctor.diagnose(thorough=os.geteuid() == 0)
    # Another doctor may have been killed just now. What it made goes away too.
    deadline = time.monotonic() + patience
    more = left(directory) - before
    while more and time.monotonic() < deadline:
        time.sleep(0.1)
        more &= left(directory)
    return more


def test_a_whole_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert not left_by_doctor(tmp_path, PATIENCE)


@pytest.mark.parametrize("at_work", [True, False])
def test_what_others_use_has_not_been_left(
    at_work: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others in whose midst a run comes, for longer than anyone could wait."""
    made = []

    def diagnose(**_: bool) -> None:
        made.append(Path("/var/tmp", f"vgetrandom-{other.pid}-{os.urandom(8).hex()}"))
        made[0].mkdir()
        if not at_work:
            other.kill()
            other.wait()

    monkeypatch.setattr(doctor, "diagnose", diagnose)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            assert left_by_doctor(tmp_path, 0.3) == (set() if at_work else {*map(str, made)})
        finally:
            other.kill()
            made[0].rmdir()
