# SPDX-License-Identifier: MIT
"""Child processes: only a Python is started, its answers arrive, and it always ends."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import working
from vgetrandom import _child, doctor
from vgetrandom._probes import PROBES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30  # seconds for what takes one
TESTS = Path(working.__file__).parents[1]


@pytest.fixture(params=["interpreter", "fork"])
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways to start a child; the threads that this process may have are hidden from them."""
    monkeypatch.setattr(_child, "_threads", lambda: 1)
    return getattr(_child, f"start_{request.param}")


def script(text: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python code in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-c", text],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


# --- only what is a Python interpreter is started as one ---

DIAGNOSE = """
import sys
from vgetrandom import doctor
{before}
rows = doctor.diagnose()
print(len(rows), sum(row.ok is False for row in rows), sum(row.ok is True for row in rows))
for row in rows:
    if row.observed.startswith("not tried"):
        print(row.name, row.observed)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Makes programs that write down that they were started."""

    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho started >> {tmp_path}/log\nexit 7\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("server", ""),
        ("python_app", ""),
        ("python3", "sys.frozen = True"),
        ("python3", "import __main__; __main__.__compiled__ = True"),
    ],
)
def test_no_program_is_started_again(
    name: str, more: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    before = f"sys.executable = {str(program(name))!r}\n{more}"
    counts, *untried = script(DIAGNOSE.format(before=before)).stdout.splitlines()
    assert not (tmp_path / "log").exists()
    every, wrong, right = map(int, counts.split())
    assert every == len(PROBES)
    assert not wrong
    assert right or "needs Linux 6.11" in str(doctor.diagnose())
    # A core dump is not tried: it would write this program's memory to a disk.
    others = [line for line in untried if not line.startswith("core dump")]
    assert len(others) < every // 2, others


@pytest.mark.parametrize("executable", ["", "/missing/python3"])
def test_without_an_interpreter_probes_are_forked(executable: str) -> None:
    done = script(DIAGNOSE.format(before=f"sys.executable = {executable!r}"))
    assert done.returncode == 0, done.stderr
    _, wrong, right = map(int, done.stdout.splitlines()[0].split())
    assert not wrong
    assert right or "needs Linux 6.11" in str(doctor.diagnose())


def test_with_threads_and_no_interpreter_nothing_is_tried() -> None:
    before = (
        "sys.executable = ''\n"
        "import threading; end = threading.Event()\n"
        "threading.Thread(target=end.wait, daemon=True).start()"
    )
    done = script(DIAGNOSE.format(before=before))
    counts, *untried = done.stdout.splitlines()
    assert counts == f"{len(PROBES)} 0 0", done.stderr
    assert len(untried) == len(PROBES)
    assert all("names no Python interpreter" in line for line in untried)
    assert all("threads cannot be forked" in line for line in untried)


def test_an_interpreter_that_fails_is_no_finding(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(program("python3")))
    monkeypatch.setattr(_child, "_threads", lambda: 2)
    rows = doctor.diagnose()
    assert {row.ok for row in rows} == {None}
    assert "ended early: exit status 7" in rows[0].observed
    assert doctor.untried(rows) in doctor.summary(rows)
    assert "contradicts" not in doctor.summary(rows)


@pytest.mark.parametrize(
    "name", ["python", "python3", "python3.11", "python3.13t", "pypy3.11", "python3.11-dbg"]
)
def test_interpreters_are_known_by_name(
    name: str, program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(program(name))
    monkeypatch.setattr(sys, "executable", path)
    assert _child.interpreter() == path


def test_children_do_not_nest_for_ever() -> None:
    with _child.start_interpreter(working.nested, 1) as child:
        assert list(child.results()) == [2]


EMBEDDING = r"""
#include <Python.h>
int main(int argc, char **argv)
{
	if (argc > 2)
		return 7; /* started again, with a command line of Python's */
	Py_InitializeEx(0);
	int failed = PyRun_SimpleString(argv[1]);
	return Py_FinalizeEx() || failed; /* writes out what was printed */
}
"""


def test_an_embedding_program_is_not_started_again(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    variable = sysconfig.get_config_var
    library = Path(str(variable("LIBDIR")), str(variable("LDLIBRARY")))
    include = sysconfig.get_path("include")
    if not compiler or not library.exists() or not Path(include, "Python.h").exists():
        pytest.skip("no C compiler, or no library and header of Python")
    (tmp_path / "server.c").write_text(EMBEDDING)
    program = tmp_path / "server"
    flags = [f"-I{include}", str(library), "-rdynamic", f"-Wl,-rpath,{library.parent}"]
    flags += f"{variable('LIBS')} {variable('SYSLIBS')} -lm".split()
    built = subprocess.run(
        [compiler, str(tmp_path / "server.c"), "-o", str(program), *flags],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if built.returncode:
        pytest.skip(f"this Python cannot be embedded: {built.stderr.splitlines()[-1]}")
    text = f"import sys; sys.path[:] = {sys.path!r}\nsys.executable = {str(program)!r}\n"
    done = subprocess.run(
        [str(program), text + DIAGNOSE.format(before="")],
        env=os.environ | {"PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    every, wrong, _ = map(int, done.stdout.splitlines()[0].split())
    assert (every, wrong) == (len(PROBES), 0), done.stdout


# --- what a child answers arrives, whatever it prints ---

HOOKS = {
    "talks": "print('agent loaded')",
    "talks to stderr": "import sys; print('agent loaded', file=sys.stderr)",
    "talks at the end": "import atexit; atexit.register(print, 'agent: bye')",
    "talks a lot": "print('agent ' * 100_000)",
    "talks JSON": 'print(\'{"name": "swap", "ok": false}\')',
    "closes stdout": "import os; os.close(1)",
    "ends the wrong way": "import atexit, os; atexit.register(os._exit, 3)",
    "has a thread": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
}


@pytest.mark.parametrize("hook", HOOKS)
def test_site_hooks_do_not_disturb(
    hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOKS[hook])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with _child.start_interpreter(working.echo, 1, "two", [3.0]) as child:
        assert list(child.results()) == [1, "two", [3.0]]


TEXTS = ["plain", "±\u2028\n\0", "\udcff not UTF-8", "🐍"]


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONUNBUFFERED": "1"},
        {"PYTHONINSPECT": "1"},
        {"PYTHONVERBOSE": "2"},
        {"PYTHONWARNINGS": "error"},
    ],
)
def test_answers_arrive_in_any_encoding(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with _child.start_interpreter(working.echo, *TEXTS) as child:
        assert list(child.results()) == TEXTS


def test_the_child_finds_the_same_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    (tmp_path / "here_only.py").write_text("def answer(send): send('here')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    import here_only  # type: ignore[import-not-found]

    with _child.start_interpreter(here_only.answer) as child:
        assert list(child.results()) == ["here"]


def test_output_of_any_length_does_not_block_the_answer(start: Any) -> None:
    with start(working.talk, 1 << 20) as child:
        assert list(child.results()) == ["answer"]
        assert child.ending() == "exit status 0, last words"


# --- how children end ---


def test_an_error_is_told(start: Any) -> None:
    with start(working.raise_error) as child:
        assert list(child.results()) == ["answer"]
        assert child.ending() == "exit status 1, LookupError: nothing here"


def test_a_signal_is_told(start: Any) -> None:
    with start(working.die) as child:
        assert list(child.results()) == ["answer"]
        assert child.ending() == "SIGKILL"


def test_leaving_ends_the_child_which_cleans_up(start: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with start(working.hang, str(mark)) as child:
        next(child.results())
    assert mark.read_text() == "cleaned up"
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_child_that_does_not_end_is_killed(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_child, "GRACE", 0.1)
    with start(working.hang, str(tmp_path / "mark")) as child:
        os.kill(next(child.results()), signal.SIGSTOP)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert not (tmp_path / "mark").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_process_left_behind_keeps_nobody_waiting(start: Any) -> None:
    started = time.monotonic()
    with start(working.leave_a_process) as child:
        (left,) = child.results()
    os.kill(left, signal.SIGKILL)
    assert time.monotonic() - started < PATIENCE


@contextlib.contextmanager
def limited_files(count: int) -> Iterator[None]:
    """Let this process have so many descriptors at most."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_no_descriptor_is_left(start: Any) -> None:
    before = descriptors()
    for work in (working.raise_error, working.die):
        with start(work) as child:
            list(child.results())
    for spare in range(8):
        with limited_files(max(map(int, before)) + 1 + spare):
            try:
                start(working.echo).__exit__(None, None, None)
            except _child.NoChildError as reason:
                assert "Too many open files" in str(reason)  # noqa: PT017
    assert descriptors() == before


# --- callers in odd states ---


@pytest.mark.parametrize("executable", ["", sys.executable])
def test_a_caller_that_ignores_how_children_end_gets_its_rows(executable: str) -> None:
    before = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        f"sys.executable = {executable!r}"
    )
    done = script(DIAGNOSE.format(before=before))
    every, wrong, right = map(int, done.stdout.splitlines()[0].split())
    assert (every, wrong) == (len(PROBES), 0), done.stdout
    assert right or "needs Linux 6.11" in str(doctor.diagnose())


def test_a_caller_that_blocks_signals_can_end_its_child(start: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with start(working.hang, str(mark)) as child:
            next(child.results())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert mark.read_text() == "cleaned up"


ANSWER = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from support import working
from vgetrandom import _child
{before}
with _child.start_{way}(working.echo, "heard") as child:
    answers = list(child.results())
with open({path!r}, "w") as file:
    file.write(str(answers) + child.ending())
"""


@pytest.mark.parametrize("way", ["interpreter", "fork"])
@pytest.mark.parametrize(
    "before",
    [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "os.close(0)",
        "os.close(1)",
        "os.close(2)",
        "os.closerange(0, 3)",
    ],
)
def test_callers_in_odd_states_hear_their_children(before: str, way: str, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    done = script(ANSWER.format(before=before, way=way, path=str(path), tests=str(TESTS)))
    assert path.exists(), done.stderr
    assert path.read_text().startswith("['heard']exit status 0")
