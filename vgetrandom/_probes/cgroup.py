# SPDX-License-Identifier: MIT
"""Memory pressure that harms nobody, in a memory cgroup (v1 or v2) of our own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vgetrandom import _proc
from vgetrandom._probes import undoing
from vgetrandom._probes.memory import MIB, PAGE, droppable, fill, in_child, kept, ordinary, page_out
from vgetrandom._probes.prober import NotHere, probe

if TYPE_CHECKING:
    from collections.abc import Iterator


class Group(NamedTuple):
    """A memory cgroup: its directory and the names of its files."""

    path: Path
    limit: str
    usage: str

    def used(self) -> int:
        """Bytes charged to it."""
        return int((self.path / self.usage).read_text())


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Group]:
    """Make a memory cgroup (v1 or v2) with a limit of `limit` bytes, and remove it afterwards."""
    reasons: list[str] = []
    places = list(_places(reasons))
    name = undoing.name()

    def remove() -> None:
        for place in places:
            _remove(place.path / name)

    with undoing.undone(remove):
        for place in places:
            group = place._replace(path=place.path / name)
            try:
                group.path.mkdir()
            except OSError as error:
                reasons.append(f"{_proc.printable(place.path)}: {error.strerror}")
                continue
            (group.path / group.limit).write_text(str(limit))
            yield group
            return
    why = f" ({reasons[0]})" if reasons else ""
    raise NotHere(f"no memory cgroup can be made here{why}")


def _remove(path: Path) -> None:
    """Remove a cgroup, if there is one, with what runs in it."""
    for _ in range(500):
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            with contextlib.suppress(OSError):
                for pid in map(int, _proc.lines(str(path / "cgroup.procs"))):
                    if pid > 0:  # 0 stands for a process of another PID namespace
                        os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)


def _places(reasons: list[str]) -> Iterator[Group]:
    """Yield our cgroup and its ancestors, the nearest first, as far as a group may be made below.

    Args:
        reasons: Why others are left out is added to it.
    """
    try:
        memberships = _proc.lines("/proc/self/cgroup")
    except FileNotFoundError:
        raise NotHere("this kernel has no cgroups") from None
    own = {
        controllers: path for _, controllers, path in (line.split(":", 2) for line in memberships)
    }
    for line in _proc.lines("/proc/self/mounts"):
        _, mounted, kind, options, *_ = line.split(" ")
        top = Path(_proc.unescape(mounted))
        if kind == "cgroup" and "memory" in options.split(","):
            mine = next((path for names, path in own.items() if "memory" in names.split(",")), "/")
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        elif kind == "cgroup2":
            mine = own.get("", "/")
            files = ("memory.max", "memory.current")
        else:
            continue
        below = top / mine.lstrip("/")
        for parent in (below, *below.parents):
            if not parent.is_relative_to(top):
                break
            control = parent / "cgroup.subtree_control"
            try:
                if kind == "cgroup2" and "memory" not in control.read_text().split():
                    continue
            except OSError as error:
                reasons.append(f"{_proc.printable(parent)}: {error.strerror}")
                continue
            yield Group(parent, *files)


@probe("memory pressure", "a memory cgroup at its limit drops it; ordinary memory survives")
def pressure() -> tuple[bool, str]:
    droppable(PAGE)
    with memory_group(64 * MIB) as group:

        def work() -> str:
            (group.path / "cgroup.procs").write_text(str(os.getpid()))
            control, memory = ordinary(8 * MIB), droppable(32 * MIB)
            fill(control)
            fill(memory)
            before = kept(memory)
            # 8 + 40 MiB fit, but not together with the droppable 32 MiB.
            greedy = ordinary(40 * MIB)
            fill(greedy)
            return f"{before - kept(memory)} {before} {kept(control)} {kept(greedy)}"

        answer = in_child(work)
    if not answer:
        return False, "the process in the memory cgroup was killed"
    lost, before, *survived = (int(word) for word in answer.split())
    intact = survived == [8 * MIB // PAGE, 40 * MIB // PAGE]
    state = "intact" if intact else "lost"
    text = f"{lost} of {before} droppable pages dropped, ordinary memory {state}"
    return intact and lost > 0, text


@probe("cgroup charge", "faulted pages are charged like ordinary ones, and given back when dropped")
def charge() -> tuple[bool, str]:
    droppable(PAGE)
    with memory_group(128 * MIB) as group:

        def work() -> str:
            (group.path / "cgroup.procs").write_text(str(os.getpid()))
            memory = droppable(32 * MIB)
            empty = group.used()
            fill(memory)
            full = group.used()
            left = page_out(memory)
            return f"{full - empty} {group.used() - empty} {left}"

        answer = in_child(work)
    if not answer:
        return False, "the process in the memory cgroup was killed"
    full, after, _ = (int(word) for word in answer.split())
    # The interpreter's own memory is charged too: PyPy's collector takes 4 MiB at once.
    ok = full > 24 * MIB and after < 8 * MIB
    text = f"32 MiB written: {full / MIB:.1f} MiB charged; after the drop: {after / MIB:.1f} MiB"
    return ok, text
