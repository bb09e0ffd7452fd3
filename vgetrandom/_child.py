# SPDX-License-Identifier: MIT
"""Processes that work for this one and answer through a pipe of their own.

What site hooks, agents and interpreters print goes into a second pipe, of which only the end is
kept: it explains a child that failed. Answers are JSON in ASCII, one a line, whatever the locale.
"""

from __future__ import annotations

import contextlib
import errno
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
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import NoReturn, Self

GRACE = 10.0
"""Seconds that a child has to end by itself: longer than a probe may take to clean up."""

_LAST_WORDS = 4096  # bytes

# Names that only interpreters have, such as python3.13t, pypy3.11 and python3-dbg.
_INTERPRETER = re.compile(r"(python|pypy)[0-9.]*[a-z]{0,2}(-dbg|-debug|-intel64)?")

# How deep children are nested; a worker of the benchmark has children of its own. Should a program
# be taken for an interpreter by mistake, this keeps it from starting itself without end.
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
    """No such process can be started here; the text says why."""


def start_interpreter(work: Callable[..., None], *arguments: object) -> Child:
    """Run a function in a fresh interpreter that finds the same modules.

    Args:
        work (Callable): At the top of its module; called with a function that sends an answer (what
            JSON can hold) and the arguments.
        arguments (object): What JSON can hold.

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
        work (Callable): Called with a function that sends an answer (what JSON can hold) and the
            arguments.
        arguments (object): Anything.

    Returns:
        Child: The running child.

    Raises:
        NoChildError: This process has threads, whose locks a child would find held for ever; or no
            process can be started.
    """
    if _threads() > 1:
        raise NoChildError("a process with threads cannot be forked safely")
    pipes = _Pipes()

    def run() -> None:
        pipes.close_ours()
        for stream in (1, 2):
            os.dup2(pipes.speak, stream)
        # Whatever these were before: text that waits in them is the parent's to write.
        sys.stdout = sys.stderr = open(  # noqa: SIM115  # for as long as there is a child
            pipes.speak, "w", buffering=1, errors="backslashreplace", closefd=False
        )
        # A collection would write to every object, and so have memory for each of them copied.
        gc.disable()
        _serve(pipes.send, work, arguments)

    with held_signals() as release:
        try:
            pid = fork(run)
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


@contextlib.contextmanager
def held_signals() -> Iterator[Callable[[], object]]:
    """Hold signals back until it is settled who ends a new child.

    A handler that raises between the fork and the `try` would leave the child to itself.

    Yields:
        Callable[[], object]: Lets them come.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def fork(run: Callable[[], None], how: Callable[[], int] = os.fork) -> int:
    """Fork a child that runs a function and ends, whatever happens.

    Nothing of the parent's runs in it: no signal handler, no exception handler, no exit hook.

    Args:
        run (Callable): What the child does; it ends with status 1 and a traceback if it raises.
        how (Callable): What forks.

    Returns:
        int: The child's process id.

    Raises:
        OSError: No process can be started.
        RuntimeError: This subinterpreter may not fork.
    """
    # Were a handler to raise in the child before the `try`, the child would go on as its parent.
    with held_signals():
        pid = how()
        if pid == 0:
            _be_forked(run)
    if pid < 0:
        # Never to be taken for a child: kill(-1) reaches every process there is.
        raise OSError(errno.EAGAIN, "no process can be started")
    return pid


def _be_forked(run: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        run()
        status = 0
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001  # whatever it is, the parent is told
        os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
    finally:
        os._exit(status)


def work_in_interpreter(send: int, module: str, function: str, arguments: list[Any]) -> None:
    """Do what `start_interpreter` asks for."""
    _serve(send, getattr(importlib.import_module(module), function), arguments)


def _serve(
    descriptor: int, work: Callable[..., None], arguments: list[Any] | tuple[Any, ...]
) -> None:
    # Ctrl-C reaches the parent too, which ends its children with SIGTERM: that unwinds, and what
    # changed the machine for a moment is put right. A caller that ignores its children's ends must
    # not make ours vanish.
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
        """Wait for answers until the child has no more to say.

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
                return  # gone, and a process that it left behind holds the pipe open

    def ending(self) -> str:
        """Wait for the end.

        Returns:
            str: The exit status or the signal, and the last line that the child printed.
        """
        status = self._end()
        words = self._heard.decode(errors="replace").strip().splitlines()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"{how}, {words[-1]}" if words else how

    def _listen(self, seconds: float) -> bool | None:
        """Wait for news: true for an answer, None for none at all."""
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
            self._listen(pause)  # exit hooks may say more than a pipe holds
            pause = min(2 * pause, 0.05)
        self._listen(0)
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class _Poll:
    """Tells how a forked child ended, once it has."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._status: int | None = None

    def __call__(self) -> int | None:
        if self._status is None:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:
                self._status = 0  # the program reaps all children, or ignores how they end
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


class _Pipes:
    """The pipes between a child and its parent: answers, and words that nobody asked for.

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
            # Where a standard stream is closed, a pipe may have its number, and the child would
            # lose it to a stream of its own.
            reader = fcntl.fcntl(low[0], fcntl.F_DUPFD_CLOEXEC, 3)
            self._ours.callback(os.close, reader)
            writer = fcntl.fcntl(low[1], fcntl.F_DUPFD_CLOEXEC, 3)
            self._theirs.callback(os.close, writer)
        finally:
            for end in low:
                os.close(end)
        return reader, writer

    def empty(self) -> int:
        """What a child without input reads; /dev/null is missing in some sandboxes."""
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
