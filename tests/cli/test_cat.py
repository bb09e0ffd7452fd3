# SPDX-License-Identifier: MIT
"""vgetrandom cat: exactly as many bytes as were asked for, and no traceback whatever happens."""

from __future__ import annotations

import argparse
import os
import subprocess
import time

import pytest

from support import commands
from vgetrandom.cli import cat
from vgetrandom.cli._size import size
from vgetrandom.cli._statuses import FAILED, INTERRUPTED, READER_GONE


def command(*arguments: str) -> list[str]:
    return commands.command("cat", *arguments)


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("count", [0, 1, 16, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_exactly_so_many_bytes(count: int) -> None:
    done = run("-n", str(count))
    assert done.returncode == 0
    assert len(done.stdout) == count
    assert done.stderr == b""


def test_the_bytes_are_random() -> None:
    done = run("-n", "3M")
    chunks = {done.stdout[at : at + 16] for at in range(0, len(done.stdout), 16)}
    assert len(chunks) == 3 << 16
    assert bytes(16) not in chunks
    assert run("-n", "16").stdout != run("-n", "16").stdout


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("2b", 1024),
        ("1kB", 1000),
        ("1k", 1024),
        ("1K", 1024),
        ("1KiB", 1024),
        ("1KB", 1000),
        ("3M", 3 << 20),
        ("3MB", 3_000_000),
        ("2GiB", 2 << 30),
        ("1T", 1 << 40),
        ("1Q", 1 << 100),
    ],
)
def test_sizes_are_those_of_head(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "0x10", "K", "1X", "1 K", "1mb", "٣", "1_000", "9" * 5000]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a number of bytes"):
        size(text)


def test_a_bad_size_is_bad_usage() -> None:
    done = run("-n", "many")
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"not a number of bytes: 'many'" in done.stderr


def test_without_a_size_it_goes_on_until_the_reader_leaves() -> None:
    with subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert len(process.stdout.read(3 << 20)) == 3 << 20
        process.stdout.close()
        assert process.wait(timeout=30) == READER_GONE
        assert process.stderr.read() == b""


def test_a_full_disk_is_reported() -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - no Path in sight
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("-n", "10"), stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == FAILED
    told = b"vgetrandom cat: error: No space left on device: 0 of 10 bytes written\n"
    assert done.stderr == told


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    with subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.send_signal(2)
        process.stdout.read(commands.MOST)
        assert process.wait(timeout=30) == INTERRUPTED
        assert process.stderr.read() == b"vgetrandom cat: interrupted\n"


def test_progress_on_a_terminal() -> None:
    ours, theirs = commands.open_terminal()
    with subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        assert process.stdout
        ends = time.monotonic() + 10 * cat.SECONDS_BETWEEN_REPORTS
        shown = b""
        os.set_blocking(ours, False)
        while b"MB/s" not in shown and time.monotonic() < ends:
            process.stdout.read(1 << 20)
            try:
                shown += os.read(ours, 1000)
            except BlockingIOError:
                continue
        process.stdout.close()
        process.wait(timeout=30)
    os.close(ours)
    assert b" bytes, " in shown
    assert b"MB/s" in shown
