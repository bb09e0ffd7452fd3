# SPDX-License-Identifier: MIT
"""What a draw leaves behind, searched for its secrets."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Self

from . import cores
from .injector import NOT_HERE, NotHereError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .injector import Target

# So many bytes of a secret in a row are not found by chance.
WINDOW = 8
_ZEROS = re.compile(rb"\0{%d,}" % (4 * WINDOW))


@dataclass(frozen=True)
class Secret:
    """Something that must not be found."""

    name: str
    data: bytes
    may_be_in_state: bool  # while the generator is not erased

    def windows(self) -> Iterator[bytes]:
        """Yield parts of which one is in every run of 2 * WINDOW - 1 bytes of it."""
        for at in range(0, len(self.data) - WINDOW + 1, WINDOW):
            window = self.data[at : at + WINDOW]
            if any(window):
                yield window


def without_zeros(data: bytes) -> bytes:
    """Return the data with less of them where they are zeros, which most memory is.

    The same windows are found: a window has another byte, so it does not span what is left.
    """
    return _ZEROS.sub(bytes(2 * WINDOW), data)


@dataclass
class Remains:
    """A draw's secrets, and where they might lie when it has returned."""

    secrets: list[Secret] = field(default_factory=list)
    memory: list[tuple[str, bytes]] = field(default_factory=list)
    state: bytes = b""
    canary: bytes = b""

    def found_in(self, name: str, data: bytes, *, is_state: bool = False) -> list[str]:
        """Return what of the secrets is in these data."""
        data = without_zeros(data)
        return [
            f"{secret.name} is in {name}"
            for secret in self.secrets
            if not (is_state and secret.may_be_in_state)
            and any(window in data for window in secret.windows())
        ]

    def found(self) -> list[str]:
        """Return what of the secrets is where it must not be."""
        found = self.found_in("the state's page", self.state, is_state=True)
        for name, data in self.memory:
            found += self.found_in(name, data)
        return found


_HEADER = struct.Struct("<3Q")


def _without(key: bytes, other: bytes) -> bytes:
    """Return a key with zeros wherever another is the same."""
    return bytes(a * (a != b) for a, b in zip(key, other, strict=True))


class Stopped:
    """A process that has just drawn, stopped as the draw returned."""

    def __init__(
        self, library: Path, target: Target, environment: Mapping[str, str], directory: Path | None
    ) -> None:
        """Draw, and read what the tracer tells."""
        program = cores.program("residue", "residue.c", "stepping.c")
        command: list[str | Path] = [program, library, str(target.length)]
        if target.preparation:
            command.append(",".join(map(str, target.preparation)))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ) | dict(environment),
            cwd=directory,
        )
        self.remains = Remains()
        keys: list[Secret] = []
        for letter, name, data in self._items():
            match letter:
                case "K":
                    keys.append(Secret(name, data, may_be_in_state=False))
                case "S":
                    self.remains.secrets.append(Secret(name, data, may_be_in_state=False))
                case "B":
                    self.remains.secrets.append(Secret(name, data, may_be_in_state=True))
                case "C":
                    self.remains.canary = data
                case "P":
                    self.remains.state = data
                case _:
                    self.remains.memory.append((name, data))
        # The next refill starts from the last value of the next key: it may be in the state.
        last = max((i for i, key in enumerate(keys) if key.name == "the next key"), default=-1)
        # An instruction set that computes half a group or less at a time writes it in parts, so an
        # earlier value may be half of the last one.
        self.remains.secrets += [
            Secret(key.name, key.data, may_be_in_state=True)
            if i == last
            else Secret(key.name, _without(key.data, keys[last].data), may_be_in_state=False)
            for i, key in enumerate(keys)
        ]

    def _items(self) -> Iterator[tuple[str, str, bytes]]:
        out: IO[bytes] | None = self._process.stdout
        assert out
        while True:
            raw = out.read(_HEADER.size)
            if len(raw) != _HEADER.size:
                assert self._process.stderr
                message = self._process.stderr.read().decode().strip()
                missing = self._process.wait() == NOT_HERE
                self.close()
                raise (NotHereError if missing else RuntimeError)(message)
            letter, name_size, size = _HEADER.unpack(raw)
            name, data = out.read(name_size).decode(), out.read(size)
            if chr(letter) == "E":
                return
            yield chr(letter), name, data

    def _say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def page_out(self) -> None:
        """Have all its memory paged out."""
        self._say("pageout")
        list(self._items())

    def abort(self) -> None:
        """End it with a core dump, if the limits and the machine's settings allow one."""
        self._say("abort")
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream
            stream.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


def stopped(
    library: Path,
    target: Target,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Stopped:
    """Return a process stopped as a draw returned."""
    return Stopped(library, target, environment or {}, directory)
