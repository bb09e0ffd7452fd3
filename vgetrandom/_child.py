# SPDX-License-Identifier: MIT
"""Child processes that run a function and answer through a pipe of their own.

Whatever site hooks, agents and the interpreter print goes to a second pipe, of which only the end
is kept, to explain why a child failed. Answers are JSON in ASCII, one per line, in any locale.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vgetrandom import _fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

GRACE = 10.0
"""Seconds in which a child must end by itself; longer than a probe needs to clean up."""

_LAST_WORDS = 4096  # bytes

_F_DUPFD_CLOEXEC = 1030  # linux/fcntl.h; PyPy 7.3's fcntl has no such name

# Names that only interpreters have, such as python3.13t, pypy3.11 and python3-dbg.
_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*[a-z]{0,2}(-dbg|-debug|-intel64)?")

# How deeply children are nested; a worker of the benchmark has children of its own. If a program
# is mistaken for an interpreter, this keeps it from starting itself without end.
_DEPTH = "VGETRANDOM_CHILD_DEPTH"
_DEEPEST = 2

_BOOT = """\
import json, sys
path, *job = json.loads(sys.argv[1])
sys.path[:] = path
from vgetrandom import _child
_child.work_in_interpreter(*job)
"""


class NoChildError(RuntimeError):
    """No child can be started here; the text says why."""


def start_interpreter(work: Callable[..., None], *arguments: object) -> Child:
    """Run a function in a fresh interpreter that finds the same modules.

    Args:
        work (Callable): A module-level function. It is called with a function that sends an answer
            (any JSON value) and the arguments.
        arguments (object): JSON values.

    Returns:
        Child: The running child.

    Raises:
        NoChildError: There is no interpreter, or none can be started.
    """
    depth = _depth()
    command = [interpreter(), "-P"]
    command += ["-E"] * sys.flags.ignore_environment + ["-s"] * sys.flags.no_user_site
    pipes = _Pipes()
    try:
        job = [sys.path, pipes.send, work.__module__, work.__name__, arguments]
        process = subprocess.Popen(
            [*command, "-c", _BOOT, json.dumps(job)],
            stdin=pipes.empty(),
            stdout=pipes.speak,
            stderr=pipes.speak,
            pass_fds=[pipes.send],
            env={**os.environ, _DEPTH: str(depth + 1)},
        )
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        pipes.close()
        raise NoChildError(f"no process can be started: {_text(error)}") from None
    return Child(process.pid, process.poll, pipes)


def start_fork(work: Callable[..., None], *arguments: object) -> Child:
    """Run a function in a forked child.

    Args:
        work (Callable): Called with a function that sends an answer (any JSON value) and the
            arguments.
        arguments (object): Anything.

    Returns:
        Child: The running child.

    Raises:
        NoChildError: This process has other threads, whose locks would stay held in the child, or
            no process can be started.
    """
    if _threads() > 1:
        raise NoChildError("a process with threads cannot be forked safely")
    pipes = _Pipes()

    def run() -> None:
        pipes.close_ours()
        for stream in (1, 2):
            os.dup2(pipes.speak, stream)
        # New objects: the parent will write what is still buffered in the old ones.
        sys.stdout = sys.stderr = open(  # noqa: SIM115  # for as long as there is a child
            pipes.speak, "w", buffering=1, errors="backslashreplace", closefd=False
        )
        # A collection writes to every object, and so would copy every page.
        gc.disable()
        _serve(pipes.send, work, arguments)

    with _fork.held_signals() as release:
        try:
            pid = _fork.fork(run)
        except (OSError, RuntimeError) as error:
            pipes.close()
            raise NoChildError(f"no process can be started: {_text(error)}") from None
        child = Child(pid, _Poll(pid), pipes)
        try:
            release()
        except BaseException:
            child.__exit__(None, None, None)
            raise
    return child


def work_in_interpreter(send: int, module: str, function: str, arguments: list[Any]) -> None:
    """Do what `start_interpreter` asks for."""
    _serve(send, getattr(importlib.import_module(module), function), arguments)


def _serve(
    descriptor: int, work: Callable[..., None], arguments: list[Any] | tuple[Any, ...]
) -> None:
    # Ctrl-C reaches the parent too, which ends its children with SIGTERM. SIGTERM unwinds, so that
    # temporary changes to the machine are undone. If the caller ignores SIGCHLD, our own children
    # must not vanish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def send(answer: object) -> None:
        line = json.dumps(answer).encode() + b"\n"
        while line:
            line = line[os.write(descriptor, line) :]

    work(send, *arguments)
    os.close(descriptor)


def interpreter() -> str:
    """Find the Python that runs this program.

    Returns:
        str: Its path.

    Raises:
        NoChildError: There is none: the program is frozen, or Python is embedded in it. Starting
            `sys.executable` would start the whole program again.
    """
    if getattr(sys, "frozen", False) or hasattr(sys.modules.get("__main__"), "__compiled__"):
        raise NoChildError("this program is frozen and has no Python interpreter")
    if not sys.executable:
        raise NoChildError("sys.executable names no Python interpreter")
    if not _INTERPRETER.fullmatch(Path(sys.executable).resolve().name):
        raise NoChildError(f"sys.executable, {sys.executable!a}, is not a Python interpreter")
    return sys.executable


def _depth() -> int:
    text = os.environ.get(_DEPTH, "0")
    depth = int(text) if re.fullmatch("[0-9]", text) else _DEEPEST
    if depth >= _DEEPEST:
        raise NoChildError("this process is itself the child of a child")
    return depth


def _threads() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


def _text(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


class Child:
    """A running child. Leaving its context ends it.

    Attributes:
        pid (int): Its process id.
    """

    def __init__(self, pid: int, poll: Callable[[], int | None], pipes: _Pipes) -> None:
        self.pid = pid
        self._poll = poll
        self._pipes = pipes
        self._heard = b""
        self._finished = False
        self._news = select.poll()
        self._news.register(pipes.answers, select.POLLIN)
        self._news.register(pipes.words, select.POLLIN)
        pipes.close_theirs()

    def __enter__(self) -> Self:
        """Return the child itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        try:
            self._end()
        finally:
            self._pipes.close_ours()

    def results(self) -> Iterator[Any]:
        """Yield answers until the child sends no more.

        Yields:
            Any: The next answer.
        """
        rest = b""
        while not self._finished:
            answered = self._listen(1.0)
            if answered:
                data = os.read(self._pipes.answers, 1 << 16)
                *lines, rest = (rest + data).split(b"\n")
                self._finished = not data
                yield from map(json.loads, lines)
            elif answered is None and self._poll() is not None:
                return  # it has ended, and a process that it left behind holds the pipe open

    def ending(self) -> str:
        """Wait until the child ends.

        Returns:
            str: The exit status or the signal, and the last line that the child printed.
        """
        status = self._end()
        words = self._heard.decode(errors="replace").strip().splitlines()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"{how}, {words[-1]}" if words else how

    def _listen(self, seconds: float) -> bool | None:
        """Wait for output: True if there is an answer, None if there is nothing at all."""
        ready = {descriptor for descriptor, _ in self._news.poll(seconds * 1000)}
        if self._pipes.words in ready:
            words = os.read(self._pipes.words, 1 << 16)
            self._heard = (self._heard + words)[-_LAST_WORDS:]
            if not words:
                self._news.unregister(self._pipes.words)
        return self._pipes.answers in ready if ready else None

    def _end(self) -> int:
        if not self._finished and self._poll() is None:
            self._signal(signal.SIGTERM)
        with contextlib.suppress(KeyError):
            self._news.unregister(self._pipes.answers)
        deadline = time.monotonic() + GRACE
        pause = 0.001
        while (status := self._poll()) is None:
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            self._listen(pause)  # exit hooks may print more than a pipe holds
            pause = min(2 * pause, 0.05)
        self._listen(0)
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class _Poll:
    """Returns how a forked child ended, or None while it runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    def __call__(self) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:
                self._status = 0  # the program reaps all children, or ignores SIGCHLD
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


class _Pipes:
    """The pipes between a child and its parent: one for answers, one for everything printed.

    Attributes:
        answers (int): The parent reads here what the child sends.
        send (int): The other end.
        words (int): The parent reads here what the child prints.
        speak (int): The other end.
    """

    def __init__(self) -> None:
        self._ours = contextlib.ExitStack()
        self._theirs = contextlib.ExitStack()
        try:
            self.answers, self.send = self._pipe()
            self.words, self.speak = self._pipe()
        except OSError as error:
            self.close()
            raise NoChildError(f"no pipe can be made: {error.strerror}") from None

    def _pipe(self) -> tuple[int, int]:
        low = os.pipe()
        try:
            # If a standard stream is closed, a pipe could get its number, and the child would
            # replace it with its own stream.
            reader = fcntl.fcntl(low[0], _F_DUPFD_CLOEXEC, 3)
            self._ours.callback(os.close, reader)
            writer = fcntl.fcntl(low[1], _F_DUPFD_CLOEXEC, 3)
            self._theirs.callback(os.close, writer)
        finally:
            for end in low:
                os.close(end)
        return reader, writer

    def empty(self) -> int:
        """Return an empty input for the child; some sandboxes have no /dev/null."""
        reader, writer = os.pipe()
        os.close(writer)
        self._theirs.callback(os.close, reader)
        return reader

    def close_ours(self) -> None:
        """Close the parent's ends."""
        self._ours.close()

    def close_theirs(self) -> None:
        """Close the child's ends."""
        self._theirs.close()

    def close(self) -> None:
        """Close all ends."""
        self.close_ours()
        self.close_theirs()
