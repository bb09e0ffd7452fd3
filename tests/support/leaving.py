# SPDX-License-Identifier: MIT
"""What a test session leaves behind: nothing but the temporary files of tests that failed.

Tests kill what they start, and children end by _exit(): neither removes temporary files. So a
session has a temporary directory of its own for all that its processes make, and removes it in the
end. The same directory in a process's environment tells that the process is the session's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from multiprocessing import util
from pathlib import Path

import pytest

ENDING = 5.0
"""Seconds in which a process that was told to end may do so."""

# These serve a session until its interpreter ends, and end then.
SERVING = (b"multiprocessing.forkserver", b"multiprocessing.resource_tracker")


def processes_of(directory: Path) -> dict[int, str]:
    """Return the command lines, by process id, of other processes that have this TMPDIR."""
    mark = b"TMPDIR=" + os.fsencode(directory)
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_bytes()
        except OSError:  # another user's, or gone
            continue
    return {
        pid: line.replace(b"\0", b" ").decode(errors="replace")
        for pid, line in found.items()
        if pid != os.getpid() and not any(serves in line for serves in SERVING)
    }


PREFIX = "vgetrandom-tests-"
AGE = 60.0
"""Seconds after which a directory that no session holds is one that a killed session left."""


def hold(directory: Path) -> int:
    """Return a descriptor that keeps others from removing the directory; -1 if one has it."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return -1
    return held


def remove_what_killed_sessions_left() -> None:
    """Remove directories of earlier sessions, also those that failed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # gone, or another user's
            state = directory.lstat()
            if state.st_uid == os.geteuid() and time.time() - state.st_mtime > AGE:
                held = hold(directory)
                if held >= 0:
                    shutil.rmtree(directory, ignore_errors=True)
                    os.close(held)


class Leaving:
    """The session's temporary directory, and the look at what the session leaves."""

    def __init__(self) -> None:
        """Make the directory, which other users may enter and write to as they may /tmp."""
        remove_what_killed_sessions_left()
        self._directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = hold(self._directory)
        self._directory.chmod(0o1777)
        os.environ["TMPDIR"] = str(self._directory)
        tempfile.tempdir = None
        self._failed = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End what the session leaves, and let it fail for that."""
        patience = time.monotonic() + ENDING
        while (left := processes_of(self._directory)) and time.monotonic() < patience:
            time.sleep(0.1)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for pid, line in left.items():
            self._tell(session, f"left behind: process {pid}: {line}")
        self._failed = session.exitstatus == pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        """Remove the directory; what tests made that failed is for whoever looks into it."""
        if self._failed:
            return
        # After multiprocessing has removed its own directory in it, which has priority -100.
        util.Finalize(None, shutil.rmtree, (self._directory, True), exitpriority=-200)

    @staticmethod
    def _tell(session: pytest.Session, text: str) -> None:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.write_line("")
            reporter.write_line(text, red=True)
