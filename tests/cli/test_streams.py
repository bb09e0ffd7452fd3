# SPDX-License-Identifier: MIT
"""Standard output and error in every state: all is written, or one line says why not."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from support import commands
from support.commands import PRINTING, QUICK, USAGE, one_line, run
from vgetrandom.cli._statuses import BAD_USAGE, FAILED, OK, READER_GONE


def shell(arguments: tuple[str, ...], redirections: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command with a shell's redirections; others go to pipes."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *commands.command(*arguments)],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
    )


@pytest.fixture(autouse=True)
def need_full() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")


# --- standard output ---


@pytest.mark.parametrize(
    ("name", "redirections"),
    [
        *((name, redirections) for name in PRINTING for redirections in (">&-", ">/dev/full")),
        ("info", ">&- <&-"),
    ],
)
def test_output_that_cannot_be_written_is_told(name: str, redirections: str) -> None:
    done = shell(PRINTING[name], redirections)
    line = one_line(done.stderr)
    assert done.returncode == FAILED
    assert "error: " in line
    assert ("closed" if "&" in redirections else "No space left on device") in line


@pytest.mark.parametrize("name", PRINTING)
def test_a_reader_that_left_is_no_error(name: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(*PRINTING[name], stdout=writer)
    os.close(writer)
    assert done.returncode == READER_GONE
    assert done.stderr == b""


@pytest.mark.parametrize("name", PRINTING)
def test_all_is_written_to_a_pipe_that_does_not_block(name: str) -> None:
    reader, writer, stuffing = commands.full_pipe()
    arguments = PRINTING[name]
    with subprocess.Popen(
        commands.command(*arguments), stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        time.sleep(0.2)
        with os.fdopen(reader, "rb") as pipe:
            got = pipe.read(commands.MOST)
        assert process.wait(commands.PATIENCE) == OK
        assert process.stderr
        told = process.stderr.read(commands.MOST)
        assert not told or told.startswith(b"warning: too noisy")
    output = got[stuffing:]
    if name == "cat":
        assert len(output) == int(arguments[-1])
    elif name not in commands.SLOW:
        assert output == run(*arguments).stdout
    else:
        assert output.endswith(b"\n")


def test_cat_says_what_it_could_not_write(tmp_path: Path) -> None:
    done = subprocess.run(
        # Blocks of 512 bytes, or of 1024 in some shells.
        ["sh", "-c", 'ulimit -f 1000; exec "$@" >file', "sh", *commands.command("cat", "-n", "9M")],
        capture_output=True,
        timeout=commands.PATIENCE,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == FAILED
    written = (tmp_path / "file").stat().st_size
    told = f"vgetrandom cat: error: File too large: {written:,} of {9 << 20:,} bytes written"
    assert one_line(done.stderr) == told


def test_the_benchmark_writes_its_files_whatever_becomes_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    done = shell((*commands.BENCH, "--json", str(path)), ">/dev/full")
    assert done.returncode == FAILED
    assert json.loads(path.read_text())["results"]


# --- standard error ---


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", "2>&- <&-"])
@pytest.mark.parametrize("name", QUICK)
def test_commands_do_without_standard_error(name: str, redirections: str) -> None:
    done = shell(QUICK[name], redirections)
    assert done.returncode == OK
    assert done.stdout
    assert not done.stderr


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>&1"])
@pytest.mark.parametrize("name", USAGE)
def test_bad_usage_is_a_status_without_standard_error(name: str, redirections: str) -> None:
    done = shell(USAGE[name], redirections)
    assert done.returncode == BAD_USAGE
    # Messages never turn up on standard output instead.
    assert not done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("name", "redirections"),
    [
        *((name, ">&- 2>&- <&-") for name in PRINTING),
        ("info", ">/dev/full 2>/dev/full"),
        ("cat", ">/dev/full 2>/dev/full"),
    ],
)
def test_a_status_is_left_where_nothing_can_be_said(name: str, redirections: str) -> None:
    assert shell(PRINTING[name], redirections).returncode == FAILED


def test_a_message_waits_only_a_moment_for_a_reader() -> None:
    reader, writer, _ = commands.full_pipe()
    started = time.monotonic()
    assert run("cat", "-n", "nonsense", stderr=writer).returncode == BAD_USAGE
    assert time.monotonic() - started < 20
    os.close(reader)
    os.close(writer)


def test_closed_streams_are_not_mistaken_for_files(tmp_path: Path) -> None:
    """What a command opens must not become its standard output."""
    path = tmp_path / "run.json"
    done = shell((*commands.BENCH, "--json", str(path)), ">&- 2>&-")
    assert done.returncode == FAILED
    assert json.loads(path.read_text())["results"]


# --- terminals ---


def on_terminal(arguments: tuple[str, ...], **environment: str) -> tuple[int, bytes]:
    """Run a command on a terminal; its status, and what the terminal got."""
    ours, theirs = commands.open_terminal()
    with subprocess.Popen(
        commands.command(*arguments),
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    ) as process:
        os.close(theirs)
        got = b""
        while select.select([ours], [], [], commands.PATIENCE)[0]:
            try:
                more = os.read(ours, 1 << 16)
            except OSError:  # EIO: the other end was closed
                break
            got += more
            assert len(got) < commands.MOST
        status = process.wait(commands.PATIENCE)
    os.close(ours)
    return status, got


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        *((name, {"TERM": "dumb"}) for name in PRINTING if name != "cat"),
        ("bench", {"NO_COLOR": "1"}),
        ("--help", {"NO_COLOR": "1"}),
    ],
)
def test_no_escapes_where_none_are_wanted(name: str, environment: dict[str, str]) -> None:
    status, shown = on_terminal(PRINTING[name], **environment)
    assert status == OK
    assert b"\x1b" not in shown
    if environment.get("TERM") == "dumb":
        # Nor is a line written over, where each would be a line of its own.
        assert b"\r" not in shown.replace(b"\r\n", b"\n")


def test_progress_is_wiped_out() -> None:
    status, shown = on_terminal(commands.BENCH)
    assert status == OK
    line = re.search(rb"\r(\[1/\d+\] [^\r]*)", shown)
    assert line
    assert b"\r" + b" " * len(line[1]) + b"\r" in shown


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"COLUMNS": "0"},
    ],
)
def test_any_encoding_and_width_will_do(environment: dict[str, str]) -> None:
    done = run(*commands.BENCH, env=os.environ | environment)
    assert done.returncode == OK, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout
