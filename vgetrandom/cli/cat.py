# SPDX-License-Identifier: MIT
"""Write random bytes to standard output: ``vgetrandom cat``."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from vgetrandom import random_bytes_into
from vgetrandom.cli import _interrupts, _streams
from vgetrandom.cli._progress import Progress
from vgetrandom.cli._size import size
from vgetrandom.cli._statuses import FAILED, INTERRUPTED, OK, READER_GONE

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 1 << 20
SECONDS_BETWEEN_REPORTS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments.

    Args:
        parser (argparse.ArgumentParser): The command's parser.
    """
    parser.add_argument(
        "-n",
        "--bytes",
        type=size,
        metavar="BYTES",
        help="how many to write, with a suffix as for head -c: K, MB, GiB... (default: no end)",
    )


def _chunks(count: int | None) -> Iterator[int]:
    while count is None:
        yield CHUNK_BYTES
    while count > 0:
        yield min(count, CHUNK_BYTES)
        count -= CHUNK_BYTES


class _Meter:
    """Counts what has been written, and shows it."""

    def __init__(self, count: int | None) -> None:
        self.written = 0
        self.progress = Progress()
        self._count = count
        self._begun = self._reported = time.monotonic()

    def add(self, written: int) -> None:
        self.written += written
        now = time.monotonic()
        if now - self._reported < SECONDS_BETWEEN_REPORTS:
            return
        self._reported = now
        rate = self.written / (now - self._begun) / 1e6
        share = f" ({self.written / self._count:.0%})" if self._count else ""
        self.progress.show(f"{self.written:,} bytes{share}, {rate:,.0f} MB/s")

    def so_far(self) -> str:
        of = f" of {self._count:,}" if self._count is not None else ""
        return f"{self.written:,}{of} bytes written"


def _write(count: int | None, meter: _Meter) -> None:
    buffer = bytearray(CHUNK_BYTES)
    try:
        for chunk in _chunks(count):
            part = memoryview(buffer)[:chunk]
            random_bytes_into(part)
            while part:
                written = _streams.write_some(part)
                meter.add(written)
                part = part[written:]
    finally:
        buffer[:] = bytes(len(buffer))


def run(args: argparse.Namespace) -> int:
    """Write them.

    Args:
        args (argparse.Namespace): What `add_arguments` parsed.

    Returns:
        int: The exit status: 0, 1 where standard output cannot be written to, 130 after Ctrl-C, 141
        where the reader went away.
    """
    meter = _Meter(args.bytes)
    try:
        with _interrupts.raised():
            _write(args.bytes, meter)
    except _streams.ReaderGoneError:
        meter.progress.clear()
        return READER_GONE
    except KeyboardInterrupt:
        meter.progress.clear()
        _interrupts.tell()
        return INTERRUPTED
    except _streams.OutputError as error:
        meter.progress.clear()
        _streams.say(f"vgetrandom cat: error: {error.strerror}: {meter.so_far()}")
        return FAILED
    meter.progress.clear()
    return OK
