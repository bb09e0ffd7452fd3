# SPDX-License-Identifier: MIT
"""Runs a probe in a forked child and makes a row of its answer, or of how it ended."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vgetrandom import _fork

if TYPE_CHECKING:
    from collections.abc import Callable

    Finding = Callable[[], tuple[bool, str]]

TIMEOUT = 30.0  # seconds for one probe
GRACE = 5.0  # seconds for a probe to clean up after SIGTERM

# Errors from a limit, a sandbox or a missing feature. They say nothing about what the kernel
# documents.
_SHORTAGES = frozenset(
    {
        *(errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT),
        *(errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENOSYS),
    }
)


@dataclass(frozen=True)
class Row:
    """One property of the running kernel.

    Attributes:
        name: the property that was probed.
        expected: what the kernel is documented to do.
        observed: what it did, or why that is not known.
        ok: whether the two agree; None if the kernel lacks the feature or it was not tried.
    """

    name: str
    expected: str
    observed: str
    ok: bool | None


class NotHere(Exception):  # noqa: N818  # an answer, not an error
    """The kernel lacks the feature, or it cannot be tried here; the text says why."""


class Probe(NamedTuple):
    """A property, and the function that tests it."""

    name: str
    expected: str
    run: Finding


# Every probe, in the order of the table; filled as the modules are imported.
PROBES: list[Probe] = []


def probe(name: str, expected: str) -> Callable[[Finding], Finding]:
    """Add a function to the table of probes.

    The function returns whether the kernel does as documented, and what was observed. It raises
    NotHere if the kernel lacks the feature, or if it cannot or must not be tried.

    Args:
        name: the name of the row.
        expected: what is documented.

    Returns:
        A decorator.
    """

    def enter(run: Finding) -> Finding:
        PROBES.append(Probe(name, expected, run))
        return run

    return enter


def run_one(probe: Probe, timeout: float = TIMEOUT) -> Row:
    """Run a probe in a forked child of its own.

    Args:
        probe: what to run.
        timeout: seconds until it counts as hanging.

    Returns:
        What it found. If a probe crashes or hangs, its row is not ok and says so.
    """
    with _fork.held_signals() as release:
        try:
            readable, writable = os.pipe()
        except OSError as error:
            return Row(probe.name, probe.expected, f"not tried: no pipe: {error.strerror}", ok=None)
        try:
            pid = _fork.fork(lambda: _answer(probe, writable))
        except (OSError, RuntimeError) as error:
            os.close(readable)
            return Row(probe.name, probe.expected, f"not tried: no process: {error}", ok=None)
        finally:
            os.close(writable)
        answer, ended = b"", False
        news = select.poll()
        news.register(readable, select.POLLIN)
        try:
            release()
            deadline = time.monotonic() + timeout
            while not ended:
                left = max(0.0, deadline - time.monotonic())
                if not news.poll(left * 1000):
                    break
                more = os.read(readable, 65536)
                answer += more
                ended = not more
        finally:
            # Also when this process is being stopped: the probe removes its swap file or cgroup
            # before it ends, and its own children end with it.
            if not ended:
                os.kill(pid, signal.SIGTERM)
                news.poll(GRACE * 1000)
            os.close(readable)
            for kill in (os.kill, os.killpg):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
    if not ended:
        answer = json.dumps([False, f"the probe did not end within {timeout:g} s"]).encode()
    try:
        ok, observed = json.loads(answer)
    except ValueError:
        ok, observed = _ending(status)
    return Row(probe.name, probe.expected, observed, ok)


def _answer(probe: Probe, descriptor: int) -> None:
    """Run a probe in this process and write [ok, observed]."""
    os.setpgid(0, 0)
    # SIGTERM unwinds, so that swap files and cgroups are removed before the probe has ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ok: bool | None
    try:
        ok, observed = probe.run()
    except NotHere as reason:
        ok, observed = None, str(reason)
    except MemoryError:
        ok, observed = None, "not tried: not enough memory"
    except OSError as error:
        ok = None if error.errno in _SHORTAGES else False
        observed = f"{'the probe failed' if ok is False else 'not tried'}: {error}"
    except Exception as error:  # noqa: BLE001  # whatever it is, the row reports it
        ok, observed = False, f"the probe failed: {error!r}"
    os.write(descriptor, json.dumps([ok, observed]).encode())


def _ending(status: int) -> tuple[bool | None, str]:
    """Judge a probe that ended without an answer."""
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGSYS:
        return None, "not tried: a sandbox ended the probe (SIGSYS)"
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return False, f"the probe crashed ({how})"
