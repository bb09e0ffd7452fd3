"""Runs a probe in a forked child, and makes a row of what it answers, or of how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    Finding = Callable[[], tuple[bool, str]]

TIMEOUT = 30.0  # seconds for one probe
GRACE = 5.0  # seconds for a probe to clean up after SIGTERM


@dataclass(frozen=True)
class Row:
    """One property of the running kernel.

    Attributes:
        name: what was probed.
        expected: what the kernel is documented to do.
        observed: what it did; or why that is not known.
        ok: whether the two agree; None where the kernel has no such thing or it was not tried.
    """

    name: str
    expected: str
    observed: str
    ok: bool | None


class NotHere(Exception):  # noqa: N818  # an answer, not an error
    """The kernel has no such thing, or it cannot be tried here; the text says why."""


class Probe(NamedTuple):
    """A property, and the function that looks for it."""

    name: str
    expected: str
    run: Finding


# Every probe, in the order of the table; filled as the modules are imported.
PROBES: list[Probe] = []


def probe(name: str, expected: str) -> Callable[[Finding], Finding]:
    """Enter a function into the table of probes.

    The function returns whether the kernel does as documented, and what was seen. It raises NotHere
    where the kernel has no such thing, or where it cannot or must not be tried.

    Args:
        name: of the row.
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
        What it found. A probe that crashes or hangs is a row that is not ok and says so.
    """
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _be_the_child(probe, writable)
    os.close(writable)
    answer, ended = b"", False
    try:
        deadline = time.monotonic() + timeout
        while not ended:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([readable], [], [], left)[0]:
                break
            more = os.read(readable, 65536)
            answer += more
            ended = not more
    finally:
        # Also on Ctrl-C: the probe removes its swap file or cgroup before it goes, and takes its
        # own children with it.
        if not ended:
            os.kill(pid, signal.SIGTERM)
            select.select([readable], [], [], GRACE)
        os.close(readable)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if not ended:
        answer = json.dumps([False, f"the probe did not end within {timeout:g} s"]).encode()
    try:
        ok, observed = json.loads(answer)
    except ValueError:
        ok, observed = False, f"the probe crashed ({_ending(status)})"
    return Row(probe.name, probe.expected, observed, ok)


def _be_the_child(probe: Probe, answer: int) -> NoReturn:
    """Run a probe, write [ok, observed] and end."""
    os.setpgid(0, 0)
    # SIGTERM unwinds, so that swap files and cgroups are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ok: bool | None
    try:
        try:
            ok, observed = probe.run()
        except NotHere as reason:
            ok, observed = None, str(reason)
        except (FileNotFoundError, PermissionError, MemoryError) as error:
            ok, observed = None, f"not tried: {error!r}"
        except Exception as error:  # noqa: BLE001  # whatever it is, the row says it
            ok, observed = False, f"the probe failed: {error!r}"
        os.write(answer, json.dumps([ok, observed]).encode())
    finally:
        os._exit(0)


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit status {os.waitstatus_to_exitcode(status)}"
