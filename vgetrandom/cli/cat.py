"""Write random bytes to standard output: ``vgetrandom cat``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from vgetrandom import random_bytes_into

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 1 << 20
SECONDS_BETWEEN_REPORTS = 0.5
CANNOT_WRITE = 1
INTERRUPTED = 130
READER_GONE = 141  # as the shell reports SIGPIPE

# The suffixes of head -c: kB is 1000 bytes, K and KiB are 1024, b is 512.
_LETTERS = "KMGTPEZY"
_UNITS = {"": 1, "b": 512, "kB": 1000, "k": 1024}
for _power, _letter in enumerate(_LETTERS, 1):
    _UNITS |= {_letter: 1024**_power, f"{_letter}iB": 1024**_power, f"{_letter}B": 1000**_power}


def size(text: str) -> int:
    """Return the number of bytes that a text like ``4096``, ``16K`` or ``1GB`` stands for.

    Args:
        text (str): A number, perhaps with a suffix of ``head -c``.

    Returns:
        int: The number of bytes.

    Raises:
        argparse.ArgumentTypeError: The text is no such size.
    """
    match = re.fullmatch(r"([0-9]+)([A-Za-z]*)", text)
    if not match or match[2] not in _UNITS:
        message = f"not a number of bytes: {text!r} (suffixes are those of head -c: K, MB, GiB...)"
        raise argparse.ArgumentTypeError(message)
    return int(match[1]) * _UNITS[match[2]]


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
        help="write exactly so many, with a suffix as for head -c: K, MB, GiB... (default: no end)",
    )


def _chunks(count: int | None) -> Iterator[int]:
    while count is None:
        yield CHUNK_BYTES
    while count > 0:
        yield min(count, CHUNK_BYTES)
        count -= CHUNK_BYTES


class _Progress:
    """A line on the terminal that says how far it is."""

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._begun = self._reported = time.monotonic()
        self._shown = sys.stderr.isatty()

    def report(self, written: int) -> None:
        now = time.monotonic()
        if not self._shown or now - self._reported < SECONDS_BETWEEN_REPORTS:
            return
        self._reported = now
        rate = written / (now - self._begun) / 1e6
        share = f" ({written / self._count:.0%})" if self._count else ""
        print(f"\r{written:,} bytes{share}, {rate:,.0f} MB/s ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown and self._reported != self._begun:
            print(file=sys.stderr)


def _write(output: int, data: memoryview) -> None:
    while data:
        data = data[os.write(output, data) :]


def run(args: argparse.Namespace) -> int:
    """Write them.

    Args:
        args (argparse.Namespace): What `add_arguments` parsed.

    Returns:
        int: The exit status: 0, 1 where standard output cannot be written to, 130 after Ctrl-C, 141
        where the reader went away.
    """
    progress = _Progress(args.bytes)
    buffer = bytearray(CHUNK_BYTES)
    written = 0
    try:
        for chunk in _chunks(args.bytes):
            part = memoryview(buffer)[:chunk]
            random_bytes_into(part)
            _write(sys.stdout.fileno(), part)
            written += chunk
            progress.report(written)
    except BrokenPipeError:
        return READER_GONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        print(f"vgetrandom cat: error: {error.strerror}", file=sys.stderr)
        return CANNOT_WRITE
    finally:
        progress.end()
        buffer[:] = bytes(len(buffer))
    return 0
