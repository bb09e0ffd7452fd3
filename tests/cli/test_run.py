# SPDX-License-Identifier: MIT
"""vgetrandom run: the program runs as under python itself, and draws from vgetrandom."""

from __future__ import annotations

import os
import py_compile
import signal
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from support import commands, tools

if TYPE_CHECKING:
    from pathlib import Path

SHOW = """
import os, sys
main = sys.modules["__main__"]
print(__name__, main.__dict__ is globals(), sorted(globals()))
print(sys.argv, sys.path[:2], __file__, __package__, __spec__ and __spec__.name)
print(type(__loader__).__name__, type(__builtins__).__name__, __doc__)
"""

PYTHON = (sys.executable,)
OURS = (sys.executable, "-m", "vgetrandom", "run")
CONSOLE = "from vgetrandom.__main__ import console; console()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with every kind of program in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(f'"""A script."""\n{SHOW}')
    (tmp_path / "below").mkdir()
    (tmp_path / "below/link.py").symlink_to("../script.py")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("import sys; print('init', sys.argv)")
    (tmp_path / "package/__main__.py").write_text(SHOW)
    (tmp_path / "package/module.py").write_text(SHOW)
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    py_compile.compile("script.py", "compiled.pyc")
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nprint(ascii('\xe4'))\n")
    return tmp_path


def run(command: tuple[str, ...], *arguments: str, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
        env=os.environ | environment,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("safe", ["", "1"])
@pytest.mark.parametrize(
    "program",
    [
        ("script.py",),
        ("./script.py", "-m", "--help", "--", "-x", "cat"),
        ("below/link.py",),
        ("compiled.pyc",),
        ("latin.py",),
        ("package",),
        ("archive.zip", "argument"),
        ("-m", "package", "--help"),
        ("-m", "package.module", "-m", "bench"),
    ],
)
def test_it_runs_as_under_python(program: tuple[str, ...], safe: str, place: Path) -> None:
    assert place.exists()
    # A module is found without its folder in the path too.
    environment = {"PYTHONSAFEPATH": safe, "PYTHONPATH": str(place)}
    expected = run(PYTHON, *program, **environment)
    assert expected[0] == 0
    assert run(OURS, *program, **environment) == expected


@pytest.mark.parametrize("start", [("-m", "vgetrandom", "run"), ("-c", CONSOLE, "run")])
@pytest.mark.parametrize("option", ["-m", ""])
def test_a_working_directory_that_is_gone(option: str, start: tuple[str, ...], place: Path) -> None:
    if "-m" in (option, start[0]) and sys.implementation.name == "pypy":
        pytest.skip("PyPy's own -m fails in a working directory that is gone")
    program = (option, "package") if option else (str(place / "script.py"),)
    gone = place / "gone"
    leave = f'mkdir {gone} && cd {gone} && rmdir {gone} && exec "$@"'
    in_it = ("sh", "-c", leave, "sh")
    expected = run((*in_it, *PYTHON), *program, PYTHONPATH=str(place))
    assert expected[0] == 0
    assert run((*in_it, sys.executable, *start), *program, PYTHONPATH=str(place)) == expected


def test_the_console_script_runs_it_too(place: Path) -> None:
    script = tools.find("vgetrandom")
    if not script:
        pytest.skip("vgetrandom's console script is not installed")
    assert place.exists()
    assert run((script, "run"), "script.py") == run(PYTHON, "script.py")


def test_the_program_draws_from_vgetrandom(place: Path) -> None:
    (place / "draw.py").write_text(
        "import os, secrets, vgetrandom\n"
        "from vgetrandom import patch\n"
        "print(os.urandom is vgetrandom.random_bytes, patch.is_installed())\n"
        "before = sum(vgetrandom.stats().reseeds.values())\n"
        "secrets.token_hex(16)\n"
        "print(before, vgetrandom.stats().refills)\n"
    )
    _, output, told = run(OURS, "draw.py")
    assert output == b"True True\n0 1\n", told


ENDS = {
    "status": "raise SystemExit(3)",
    "text": "raise SystemExit('told')",
    "nothing": "raise SystemExit",
    "error": "raise LookupError('nothing here')",
    "system error": "open('/missing')",
    "no memory": "raise MemoryError",
    "syntax": "1 +",
    "at once": "import os; os._exit(4)",
    "interrupted": "raise KeyboardInterrupt",
    "Ctrl-C": "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('here')",
    "SIGTERM": "import os, signal; os.kill(os.getpid(), signal.SIGTERM); print('here')",
    "SIGHUP": "import os, signal; os.kill(os.getpid(), signal.SIGHUP); print('here')",
    "exit hooks": "import atexit; atexit.register(lambda: print(__name__, 'last'))",
    "threads": "import threading, time, sys\n"
    "def work():\n    time.sleep(0.1)\n    print(sys.modules['__main__'].work is work)\n"
    "threading.Thread(target=work).start()",
    "handlers": "import signal\n"
    "print([signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)])",
    "streams": "import sys; print(sys.stdout, sys.stderr, sys.stdout is sys.__stdout__)",
    "warning": "import warnings; warnings.warn('careful')",
}


@pytest.mark.parametrize("end", ENDS)
def test_ends_as_under_python(end: str, place: Path) -> None:
    (place / "end.py").write_text(ENDS[end])
    status, output, told = run(PYTHON, "end.py")
    ours = run(OURS, "end.py")
    assert ours[:2] == (status, output)
    # A traceback has our frames above the program's.
    assert ours[2].splitlines()[-1:] == told.splitlines()[-1:]
    assert b"During handling" not in ours[2]


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_streams_are_the_program_s(redirections: str, place: Path) -> None:
    (place / "streams.py").write_text(
        "import os, sys\n"
        "def there(fd):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: return False\n"
        "    return True\n"
        "seen = [sys.stdin is None, sys.stdout is None, sys.stderr is None]\n"
        "seen += map(there, range(3))\n"
        "with open('seen', 'w') as file: file.write(str(seen))\n"
        "print('x' * 10)\n"
    )
    seen = []
    for command in (PYTHON, OURS):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", *command, "streams.py"],
            capture_output=True,
            timeout=commands.PATIENCE,
            check=False,
        )
        last = done.stderr.splitlines()[-1:]
        seen.append((done.returncode, done.stdout, last, (place / "seen").read_text()))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, place: Path) -> None:
    (place / "pool.py").write_text(
        "import multiprocessing, os, sys\n"
        "def work(number):\n    return number * 2\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:\n"
        "        print(pool.map(work, [1, 2]))\n"
    )
    assert run(OURS, "pool.py", method) == (0, b"[2, 4]\n", b"")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, b"vgetrandom run: error: SCRIPT or -m MODULE is missing\n"),
        (("-m",), 2, b"vgetrandom run: error: SCRIPT or -m MODULE is missing\n"),
        (
            ("none.py",),
            2,
            b"vgetrandom run: error: cannot open none.py: No such file or directory\n",
        ),
    ],
)
def test_a_missing_program_is_bad_usage(
    arguments: tuple[str, ...], status: int, message: bytes, place: Path
) -> None:
    assert place.exists()
    assert run(OURS, *arguments) == (status, b"", message)


def test_a_missing_module_is_told_as_python_tells_it(place: Path) -> None:
    assert place.exists()
    assert run(OURS, "-m", "none") == run(PYTHON, "-m", "none")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_program_runs_ends_the_command(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "uuid.py").write_text("import os, time; os.write(2, b'!'); time.sleep(60)")
    (tmp_path / "script.py").touch()
    with subprocess.Popen(
        [sys.executable, "-c", CONSOLE, "run", "x"],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    ) as process:
        assert process.stderr
        assert process.stderr.read(1) == b"!"
        process.send_signal(number)
        assert process.wait(commands.PATIENCE) == 130
        assert process.stderr.read() == b"vgetrandom run: interrupted\n"
