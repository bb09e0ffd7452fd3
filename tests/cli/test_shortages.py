# SPDX-License-Identifier: MIT
"""Limits and sandboxes: a command does its work, or one line names what is missing."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import commands
from support.commands import one_line
from vgetrandom.bench import machine
from vgetrandom.cli._statuses import FAILED, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

Prefix = tuple[str, ...]

# Groups that start processes and threads.
EVENTS = ("bench", "--quick", "--groups", "first-use", "--sizes", "16")
THREADS = ("bench", "--quick", "--groups", "threads", "--sizes", "16")
WORKERS = ("bench", "--rigorous", "--groups", "fill", "--sizes", "16")

UNAFFECTED = {
    "info": ("info",),
    "cat": ("cat", "-n", "3M"),
    "--version": ("--version",),
    "--help": ("--help",),
}


def run(prefix: Prefix, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*prefix, *commands.command(*arguments)],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
    )


def limited(limit: str) -> Prefix:
    """Run under a limit of the shell's."""
    return ("sh", "-c", f'ulimit {limit} && exec "$@"', "sh")


@functools.cache
def without_processes(most: int = 1) -> Prefix:
    """Run as a user who may start neither processes nor threads, or just as many as that."""
    if not shutil.which("setpriv") or not shutil.which("prlimit"):
        pytest.skip("not installed: setpriv, prlimit (util-linux)")
    prefix: Prefix = ("prlimit", f"--nproc={most}")
    if os.geteuid() == 0:
        # The limit is not for root. The capability is for reading what is below /root.
        capability = "+dac_read_search"
        nobody = ("--reuid=65534", "--regid=65534", "--clear-groups")
        keep = (f"--inh-caps={capability}", f"--ambient-caps={capability}")
        prefix = ("setpriv", *nobody, *keep, *prefix)
    if most == 1:  # with more, the shell would leave a process behind that counts for a while
        done = subprocess.run(
            [*prefix, "sh", "-c", "true & true"],
            capture_output=True,
            check=False,
            timeout=commands.PATIENCE,
        )
        if b"fork" not in done.stderr:
            pytest.skip(f"cannot forbid processes here: {done.stderr.decode() or 'no effect'}")
    if run(prefix, ["--version"]).returncode:
        pytest.skip("this Python cannot be run as another user")
    return prefix


@functools.cache
def without_mount(folder: str) -> Prefix:
    """Run where a folder is empty."""
    if not shutil.which("unshare"):
        pytest.skip("not installed: unshare (util-linux)")
    hide = f'mount -t tmpfs none {folder} && exec "$@"'
    prefix: Prefix = ("unshare", "--mount", "sh", "-c", hide, "sh")
    done = subprocess.run(
        [*prefix, "true"], capture_output=True, check=False, timeout=commands.PATIENCE
    )
    if done.returncode:
        pytest.skip(f"cannot hide {folder} here: {done.stderr.decode().strip()}")
    return prefix


# --- no processes, no threads ---


@pytest.mark.parametrize("name", UNAFFECTED)
def test_no_processes_are_needed(name: str) -> None:
    done = run(without_processes(), UNAFFECTED[name])
    assert done.returncode == OK
    assert not done.stderr


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("doctor",), "no process can be started: Resource temporarily unavailable"),
        (EVENTS, "no process can be started: Resource temporarily unavailable"),
        (WORKERS, "no process can be started: Resource temporarily unavailable"),
        (THREADS, "can't start new thread"),
    ],
)
def test_missing_processes_are_named(arguments: tuple[str, ...], missing: str) -> None:
    done = run(without_processes(), arguments)
    assert done.returncode == FAILED
    assert missing in one_line(done.stderr)


def test_threads_do_not_wait_for_one_that_could_not_be_started() -> None:
    without_processes()
    if machine.cores() < 2:
        pytest.skip("one processor: no group of threads to be measured")
    done = run(without_processes(2), THREADS)
    assert done.returncode == FAILED
    assert "can't start new thread" in one_line(done.stderr)


def test_rows_that_nobody_tried_say_so() -> None:
    done = run(without_processes(), ["doctor", "--json"])
    assert done.returncode == FAILED
    one_line(done.stderr)
    for row in json.loads(done.stdout):
        assert row["ok"] is None
        assert row["observed"].startswith("not tried: ")


# --- no descriptors ---


@pytest.mark.parametrize("count", [5, 7, 9])
def test_missing_descriptors_are_named(count: int) -> None:
    for arguments in UNAFFECTED.values():
        done = run(limited(f"-n {count}"), arguments)
        assert (done.returncode, done.stderr) == (OK, b"")
    done = run(limited(f"-n {count}"), ["doctor", "--json"])
    if done.returncode == FAILED:
        assert "Too many open files" in one_line(done.stderr)
    # A shortage is no finding about the kernel.
    assert not [row for row in json.loads(done.stdout or "[]") if row["ok"] is False]


# --- no memory ---


def test_missing_memory_is_named() -> None:
    """Somewhere between what the interpreter needs and what is enough, memory is short."""
    told = []
    for kilobytes in range(14_000, 24_000, 1_500):
        limit = limited(f"-v {kilobytes}")
        done = run(limit, ["bench", "--help"])
        # Where the interpreter itself has too little, which differs from start to start, it ends
        # in ways of its own, before ours has run or in the middle of it.
        of_its_own = b"SystemError: error return without exception set" in done.stderr
        if done.returncode == FAILED and done.stderr.startswith(b"vgetrandom") and not of_its_own:
            told.append(one_line(done.stderr))
    if not told:
        pytest.skip("no limit found that is enough for the interpreter and too low for us")
    assert any("not enough memory" in line for line in told), told


PEAK = """
import contextlib, re, runpy, sys
with contextlib.suppress(SystemExit):
    runpy.run_module("vgetrandom", run_name="__main__")
print(re.search(r"VmPeak:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def test_the_benchmark_stops_at_a_size_that_it_cannot_have() -> None:
    arguments = ("bench", "--quick", "--groups", "fill", "--sizes", "16")
    peak = subprocess.run(
        [sys.executable, "-P", "-c", PEAK, *arguments],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=True,
    )
    # Enough for all else: peers that are written in Rust abort where an import finds no memory.
    kilobytes = int(peak.stdout.splitlines()[-1]) + 32_000
    done = run(limited(f"-v {kilobytes}"), (*arguments, str(64 << 20)))
    assert done.returncode == FAILED
    assert "memory" in done.stderr.decode().splitlines()[0]
    assert b"Traceback" not in done.stderr


# --- no /proc, no /dev ---


OLD_PYPY = getattr(sys, "pypy_version_info", (8,)) < (8,)
PYPYS = b"Warning: cannot find your CPU L2 cache size"  # PyPy 7.3 says so without /proc


@pytest.mark.parametrize("folder", ["/proc", "/dev"])
@pytest.mark.parametrize("arguments", [*UNAFFECTED.values(), commands.BENCH, ("doctor",)])
def test_empty_folders(arguments: tuple[str, ...], folder: str) -> None:
    draws = arguments in (commands.BENCH, ("doctor",))
    if OLD_PYPY and folder == "/dev" and draws:
        pytest.skip("os.urandom() of PyPy 7.3 reads /dev/urandom")
    done = run(without_mount(folder), arguments)
    assert done.returncode == OK, done.stderr
    errors = b"".join(
        line for line in done.stderr.splitlines(keepends=True) if not line.startswith(PYPYS)
    )
    assert not errors or errors.startswith(b"warning: too noisy")
    if arguments is commands.BENCH and folder == "/dev":
        assert re.search(rb"absent +/dev/urandom: .*No such file or directory", done.stdout)


def test_what_needs_proc_is_not_tried_without_it() -> None:
    done = run(without_mount("/proc"), ["doctor", "--json"])
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert not [row for row in rows.values() if row["ok"] is False]
    assert "/proc" in rows["VmFlags"]["observed"] or "6.11" in rows["VmFlags"]["observed"]
