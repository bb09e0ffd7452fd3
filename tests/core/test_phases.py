# SPDX-License-Identifier: MIT
"""System calls by phase, as docs/sandboxes.md promises them: each under a filter that kills."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support import programs
from support.conditions import stateful, unless_set
from support.libraries import program
from support.running import in_thread
from support.tools import skip_without
from support.vmclock import vmclock

if TYPE_CHECKING:
    from pathlib import Path

INFO = vgetrandom.info()
SURROUNDINGS = ("usual", "no-proc", "no-descriptors")
# Kinds of memory; "" is the best that there is.
RUNGS = ("", "wipe-on-fork", "none")
PHASES = (
    "first",
    "preparing",
    "info",
    "later",
    "generator-first",
    "generator",
    "generator-in-a-thread",
    "generator-in-a-child",
    "prepared",
    "thread",
    "child",
    "raw-clone",
    "child-of-a-thread",
    "child-of-who-has-not-drawn",
    "advice-refused",
    "lock-refused",
    "no-memory",
    "no-memory-for-a-thread",
    "no-key",
)
LONGEST_PAUSE = 65536

pytestmark = unless_set("VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO")


def no_core_dump() -> None:
    """What is killed by a filter would leave one, before it becomes the program."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment_of(phase: str, rung: str) -> dict[str, str]:
    """What a phase is started with: memory of that kind, and perhaps no pthread key left."""
    environment = {"VGETRANDOM_MEMORY": rung} if rung else {}
    keys = {"USE_UP_PTHREAD_KEYS": "1"} if phase.startswith("no-key") else {}
    return os.environ | environment | keys


def said(phase: str, surroundings: str, directory: Path, rung: str = "") -> dict[str, list[str]]:
    """Return what a phase of tests/c/phases.c says that its filter lets live."""
    environment = environment_of(phase, rung)
    return programs.report(
        "phases", phase, surroundings, directory, env=environment, preexec_fn=no_core_dump
    )


@pytest.mark.c_program
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_no_call_but_the_listed_ones_is_made(
    phase: str, rung: str, surroundings: str, tmp_path: Path
) -> None:
    figures = said(phase, surroundings, tmp_path, rung)
    if "after" in figures and rung != "none" and INFO.memory != "none":
        # Attempts become rarer, but there are some.
        assert int(figures["without"][0]) > 0
        assert 0 < int(figures["waiting"][0]) <= LONGEST_PAUSE
        assert figures["after"] == ["0"]


@pytest.mark.c_program
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("surroundings", ["usual", "no-proc"])
def test_info_asks_once_for_what_is_settled(rung: str, surroundings: str, tmp_path: Path) -> None:
    figures = said("settled", surroundings, tmp_path, rung)
    assert figures["first_memory"] == figures["second_memory"]
    assert figures["first_watch"] == figures["second_watch"]
    assert figures.get("first_note") == figures.get("second_note")


@pytest.mark.c_program
@stateful
@pytest.mark.parametrize("phase", ["first-under-the-next-filter", "thread-under-the-next-filter"])
def test_the_filter_kills(phase: str) -> None:
    done = programs.end("phases", phase, "usual", preexec_fn=no_core_dump)
    assert done.returncode == -signal.SIGSYS


@pytest.mark.c_program
@pytest.mark.skipif(INFO.watch != "vdso-generation", reason=f"watch is {INFO.watch} here")
def test_info_searches_again_for_what_a_shortage_denied(tmp_path: Path) -> None:
    figures = said("searched-again", "no-descriptors", tmp_path)
    assert figures["first_watch"] == ["none"]
    assert any("no file descriptor" in note for note in figures["first_note"])
    assert figures["second_watch"] == ["vdso-generation"]
    # A bare chroot has no /sys.
    assert all("/sys/bus" in note for note in figures.get("second_note", []))


@pytest.mark.c_program
@stateful
def test_info_searches_again_for_the_device(tmp_path: Path) -> None:
    """The mount namespace's /dev has a vmclock, which is the watch since the vDSO is off."""
    skip_without("unshare", "mount")
    (tmp_path / "page").write_bytes(vmclock())
    script = (
        f"mount -t tmpfs none /dev && cp {tmp_path}/page /dev/vmclock0 || exit 78; "
        f"exec {program('phases')} searched-again no-descriptors"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"VGETRANDOM_VDSO": "off"},
    )
    if done.returncode in {1, 78} and "first_watch" not in done.stdout:
        pytest.skip(f"no mount namespace to be had: {done.stderr.strip()}")
    said = done.stdout.splitlines()
    assert "first_watch=none" in said
    assert "second_watch=vmclock" in said


@stateful
def test_prepare_makes_the_thread_s_first_draw_once() -> None:
    figures = []

    def prepare() -> None:
        for _ in range(2):
            before = vgetrandom.stats().reseeds["first"]
            assert vgetrandom.prepare() is None  # type: ignore[func-returns-value]
            figures.append(vgetrandom.stats().reseeds["first"] - before)

    in_thread(prepare)
    assert figures == [1, 0]


@pytest.mark.c_program
@stateful
@pytest.mark.parametrize(
    ("phase", "why"),
    [
        ("no-key-told", "no pthread key"),
        ("no-memory-told", "no memory"),
        ("locked-told", "no memory"),
    ],
)
def test_info_tells_of_a_shortage_and_of_its_end(phase: str, why: str, tmp_path: Path) -> None:
    figures = said(phase, "usual", tmp_path)
    assert figures["told_memory"] == ["none"]
    assert figures["told_watch"] == ["none"]
    assert why in figures["told_note"][0]
    assert figures["then_memory"] == [INFO.memory]
