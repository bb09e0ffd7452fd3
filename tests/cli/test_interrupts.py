# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM and SIGHUP in every phase: status 130, one line, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import commands
from support.commands import PRINTING, QUICK, one_line
from vgetrandom.cli._statuses import INTERRUPTED, OK

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

# Takes the place of a module that a command imports: it tells that it is being imported, and waits.
SLOW_IMPORT = """
import os, time
os.write({ready}, b"!")
time.sleep({seconds})
"""

# Likewise, but it does not wait: it imports the real one.
IN_BETWEEN = """
import importlib, os, sys
os.write({ready}, b"!")
sys.path.remove({folder!r})
del sys.modules[__name__]
importlib.import_module(__name__)
"""


@contextlib.contextmanager
def running(
    *arguments: str, replaced: str = "", by: str = SLOW_IMPORT, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command with a module replaced; also gives the pipe that it writes to."""
    reader, writer = os.pipe()
    if replaced:
        path = folder / f"{replaced}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(by.format(ready=writer, seconds=commands.PATIENCE, folder=str(folder)))
    with subprocess.Popen(
        commands.command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        env=os.environ | {"PYTHONPATH": str(folder)},
    ) as process:
        os.close(writer)
        try:
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Wait for a process and read what it wrote, within bounds."""
    assert process.stdout
    assert process.stderr
    output = process.stdout.read(commands.MOST)
    return process.wait(commands.PATIENCE), output, process.stderr.read(commands.MOST)


# --- during imports ---

imported_by_cffi = pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="on PyPy cffi's parser imports dataclasses, when no command has begun yet",
)


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (("--version",), "argparse"),
        (("--help",), "argparse"),
        (("nonsense",), "argparse"),
        (QUICK["info"], "json"),
        pytest.param(QUICK["info"], "dataclasses", marks=imported_by_cffi),
        (QUICK["cat"], "argparse"),
        (("doctor",), "ctypes"),
        (commands.BENCH, "statistics"),
    ],
)
def test_a_signal_during_an_import_ends_the_command(
    arguments: tuple[str, ...], module: str, tmp_path: Path
) -> None:
    # One signal is enough, since all have the same handler.
    number = SIGNALS[len(module) % 3]
    with running(*arguments, replaced=module, folder=tmp_path) as (process, ready):
        assert os.read(ready, 1)
        process.send_signal(number)
        status, output, told = ended(process)
    assert status == INTERRUPTED
    assert one_line(told).endswith("interrupted")
    assert not output


def test_a_signal_at_any_moment_leaves_no_traceback(tmp_path: Path) -> None:
    moments = random.Random(1)
    for number in range(12):
        arguments = PRINTING["bench" if number % 2 else "info"]
        with running(*arguments, replaced="argparse", by=IN_BETWEEN, folder=tmp_path) as (
            process,
            ready,
        ):
            assert os.read(ready, 1)
            time.sleep(moments.uniform(0, 0.3))
            process.send_signal(SIGNALS[number % 3])
            status, _, told = ended(process)
        assert status in (OK, INTERRUPTED), told
        assert b"Traceback" not in told
        if status == INTERRUPTED:
            one_line(told)


# --- at work ---


@pytest.mark.parametrize("number", SIGNALS)
def test_cat_ends(number: signal.Signals, tmp_path: Path) -> None:
    with running("cat", "-n", "1T", folder=tmp_path) as (process, _):
        assert process.stdout
        process.stdout.read(1)
        process.send_signal(number)
        status, _, told = ended(process)
    assert status == INTERRUPTED
    assert one_line(told) == "vgetrandom cat: interrupted"


@pytest.mark.parametrize("number", SIGNALS)
def test_bench_shows_what_there_is(number: signal.Signals, tmp_path: Path) -> None:
    """It is waiting for the import of a peer, after os.urandom was bound."""
    pytest.importorskip("cryptography")
    arguments = ("bench", "--quick", "--groups", "fill", "bytes", "--sizes", "16")
    with running(*arguments, replaced="nacl/utils", folder=tmp_path) as (process, ready):
        (tmp_path / "nacl/__init__.py").touch()
        assert os.read(ready, 1)
        process.send_signal(number)
        status, output, told = ended(process)
    assert status == INTERRUPTED
    assert one_line(told) == "vgetrandom bench: interrupted: this is what there is so far"
    assert b"random_bytes" in output or b"cpu" in output


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def test_doctor_ends_its_children(tmp_path: Path) -> None:
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("this kernel does not list children in /proc")
    with running("doctor", "--json", folder=tmp_path) as (process, _):
        patience = time.monotonic() + commands.PATIENCE
        below: list[int] = []
        while not below and time.monotonic() < patience:
            time.sleep(0.01)
            below = [
                grandchild for child in children(process.pid) for grandchild in children(child)
            ]
        below += children(process.pid)
        assert len(below) > 1
        process.send_signal(signal.SIGINT)
        status, _, told = ended(process)
    assert status == INTERRUPTED
    assert one_line(told) == "vgetrandom doctor: interrupted"
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]


# --- while a reader keeps it waiting ---

WRITING = ("pipe_write", "anon_pipe_write", "do_sys_poll", "poll_schedule_timeout")
"""Where in the kernel a process waits for its reader, by how names of functions begin."""


def wait_until_it_waits(pid: int) -> None:
    """Wait until a process cannot go on because nobody reads what it writes."""
    patience = time.monotonic() + commands.PATIENCE
    asleep = 0
    while asleep < 20:
        assert time.monotonic() < patience
        time.sleep(0.01)
        where = Path(f"/proc/{pid}/wchan").read_text()
        if where.startswith(WRITING):
            return
        # Other kernels may have other names, or keep them secret: there, a process that sleeps for
        # a while has begun to wait.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state == "S" else 0


@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGINT) for name in QUICK), *(("cat", number) for number in SIGNALS[1:])],
)
@pytest.mark.parametrize("blocking", [True, False])
def test_a_command_that_waits_for_its_reader_ends(
    name: str, blocking: bool, number: signal.Signals
) -> None:
    reader, writer, _ = commands.full_pipe()
    os.set_blocking(writer, blocking)
    with subprocess.Popen(
        commands.command(*QUICK[name]), stdout=writer, stderr=subprocess.PIPE
    ) as process:
        wait_until_it_waits(process.pid)
        process.send_signal(number)
        assert process.wait(commands.PATIENCE) == INTERRUPTED
        assert process.stderr
        assert "interrupted" in one_line(process.stderr.read(commands.MOST))
    os.close(reader)
    os.close(writer)


# --- signals that are to be ignored, or get lost ---


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: signal.Signals, tmp_path: Path) -> None:
    """nohup ignores them, and so does a shell for what its scripts run in the background."""
    if number == signal.SIGINT and sys.implementation.name == "pypy":
        pytest.skip("PyPy handles SIGINT when it starts, even where it was ignored")
    size = 3 << 20
    old = signal.signal(number, signal.SIG_IGN)
    try:
        with running("cat", "-n", str(size), folder=tmp_path) as (process, _):
            assert process.stdout
            got = process.stdout.read(1)
            for _ in range(3):
                process.send_signal(number)
            status, output, told = ended(process)
    finally:
        signal.signal(number, old)
    assert status == OK
    assert len(got + output) == size
    assert not told


def test_tests_signal_their_commands_under_nohup_too() -> None:
    """Where a command ignored the signal, it would write for ever and the suite would not end."""
    test = Path(__file__)
    pytest_command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [
            "sh",
            "-c",
            "trap '' INT TERM HUP; exec \"$@\"",
            "sh",
            *pytest_command,
            "-k",
            "test_cat_ends",
            str(test),
        ],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
        cwd=test.parents[2],
    )
    assert done.returncode == 0, done.stdout


IN_DESTRUCTOR = """
import gc, os, signal, time
from vgetrandom.cli import _interrupts
_interrupts.install()

class Destructor:
    def __del__(self, os=os, signal=signal, time=time):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
"""

# PyPy counts no references: it destroys when it collects garbage.
AT_WORK = """
try:
    with _interrupts.raised():
        Destructor()
        gc.collect()
        time.sleep(60)
except KeyboardInterrupt:
    print("once more")
"""


def script(text: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-c", text],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
    )


def test_a_signal_in_a_destructor_is_not_lost() -> None:
    done = script(IN_DESTRUCTOR + AT_WORK)
    assert done.stdout == b"once more\n"
    assert not done.stderr


def test_a_signal_in_a_destructor_ends_what_has_nothing_to_put_right() -> None:
    done = script(IN_DESTRUCTOR + "Destructor(); gc.collect(); time.sleep(60)")
    assert done.returncode == INTERRUPTED
    assert one_line(done.stderr) == "vgetrandom: interrupted"


# Destroyed when the interpreter has given its signals back to the kernel, as it ends.
DESTROYED_LATE = """
import os, signal
class Late:
    def __del__(self, os=os, signals={signals}):
        for number in signals:
            os.kill(os.getpid(), number)
        os.write(2, b"destroyed")
late = Late()
"""


@pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="PyPy destroys nothing when it ends"
)
def test_a_signal_after_the_last_handler_is_gone_does_not_kill_it(tmp_path: Path) -> None:
    signals = [int(number) for number in SIGNALS]
    (tmp_path / "sitecustomize.py").write_text(DESTROYED_LATE.format(signals=signals))
    with running(*QUICK["--version"], folder=tmp_path) as (process, _):
        status, output, told = ended(process)
    assert (status, told) == (OK, b"destroyed")
    assert output


def test_a_signal_while_the_interpreter_ends_does_not_kill_it(tmp_path: Path) -> None:
    for number in range(9):
        with running("doctor", "--help", folder=tmp_path) as (process, _):
            assert process.stdout
            assert process.stdout.read(1)  # all is written at once, when the work is done
            for _ in range(50):
                process.send_signal(SIGNALS[number % 3])
                time.sleep(0.0005)
            assert ended(process)[0] in (OK, INTERRUPTED)
