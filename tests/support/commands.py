# SPDX-License-Identifier: MIT
"""The project's commands as processes: every one of them, with a bound on all that a test reads."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

import pytest

MOST = 1 << 22
"""Bytes that a test reads of one stream at most: more is a failure, not a full memory."""

PATIENCE = 60
"""Seconds for what takes one or two."""

BENCH = ("bench", "--quick", "--groups", "fill", "--sizes", "16")

QUICK = {
    "info": ("info",),
    "cat": ("cat", "-n", "100000"),
    "--version": ("--version",),
    "--help": ("--help",),
}
"""Commands that take no time, by their names for the test."""

SLOW = {"bench": BENCH, "doctor": ("doctor",)}

PRINTING = QUICK | SLOW
"""Every command, all of which write to standard output."""

USAGE = {
    "no such command": ("nonsense",),
    "no such size": ("cat", "-n", "nonsense"),
    "no such file": ("bench", "--compare", "/missing"),
}
"""Bad usage: status 2, a message, and nothing on standard output."""


def open_terminal() -> tuple[int, int]:
    """Return both ends of a new terminal, ours first; skip where there is none (a bare chroot)."""
    try:
        return pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminal can be had here (/dev/pts): {error}")


def command(*arguments: str) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-P", "-m", "vgetrandom", *arguments]


def run(
    *arguments: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments), stdout=stdout, stderr=stderr, env=env, timeout=PATIENCE, check=False
    )


def full_pipe() -> tuple[int, int, int]:
    """Make a pipe that is full and does not block.

    Returns:
        The end to read from, the end to write to, and how many bytes are in it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    stuffing = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            stuffing += os.write(writer, bytes(4096))
    return reader, writer, stuffing


def one_line(stderr: bytes) -> str:
    """The one line that standard error holds."""
    lines = stderr.decode().splitlines()
    assert len(lines) == 1, stderr[-2000:].decode()
    assert not lines[0].startswith("Traceback")
    return lines[0]
