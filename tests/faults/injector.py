# SPDX-License-Identifier: MIT
"""Running faults: what the injector (inject.c) reads and writes."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import threading
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import IO, TYPE_CHECKING, Self

from . import cores, kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from .kinds import Kind

MAX_FAULTS = 2  # in one run

# The words that an instruction touches, as bits; as in stepping.h.
TOUCHES_GENERATION = 1 << 1
TOUCHES_WORD = 1 << 2

NOT_HERE = 77  # exit status


class NotHereError(Exception):
    """This machine lacks something; the message says what."""


class Outcome(IntEnum):
    """What became of a fault; as in telling.h."""

    NOT_REACHED = 0
    DONE = 1
    PAGE_WRITTEN = 2
    NOTHING_THERE = 3


class Role(IntEnum):
    """What a draw is for; as in subject.h."""

    PREPARATION = 0
    SUBJECT = 1
    NESTED = 2
    FOLLOWING = 3
    LAST = 4  # after one more reseed of the kernel


@dataclass(frozen=True)
class Sizes:
    """The core's constants, in bytes."""

    batch: int
    keystream: int
    bulk_min: int
    bulk_grain: int
    bulk: int
    state: int


@dataclass(frozen=True)
class Target:
    """A draw to inject faults into: what is drawn before, and how much by itself."""

    name: str
    preparation: tuple[int, ...]
    length: int


@dataclass(frozen=True)
class Instruction:
    """One of the draw: where (in the library, if it is in there) and what it touches."""

    offset: int | None
    pc: int
    touches_generation: bool
    touches_word: bool


@dataclass(frozen=True)
class Trace:
    """The draw without any fault."""

    instructions: tuple[Instruction, ...]

    @cached_property
    def last_look(self) -> int:
        """The last instruction that looks at the generation; their number if none does."""
        looks = (i for i, one in enumerate(self.instructions) if one.touches_generation)
        return max(looks, default=len(self.instructions))

    @cached_property
    def last_look_at_word(self) -> int | None:
        """The last instruction that looks at the watched word, or None."""
        looks = (i for i, one in enumerate(self.instructions) if one.touches_word)
        return max(looks, default=None)


@dataclass(frozen=True)
class Run:
    """Faults to inject: the first before instruction `at`, the second `gap` later.

    They are named by their letters (kinds.py).
    """

    at: int
    faults: str
    gap: int = 1

    def line(self) -> str:
        """Return this for inject.c."""
        first, *second = (int(kinds.BY_LETTER[letter].actions) for letter in self.faults)
        return " ".join(map(str, [self.at, first] + [self.gap, *second] * bool(second))) + "\n"


@dataclass(frozen=True)
class Fault:
    """One that was injected."""

    kind: Kind
    outcome: Outcome
    calls: int
    generation_touched: int
    word_touched: int


@dataclass(frozen=True)
class Draw:
    """One draw that returned."""

    pid: int
    began: int
    serial: int
    role: Role
    fork: int
    error: int
    result: int
    length: int
    calls_before: int
    calls_after: int
    data: bytes


@dataclass(frozen=True)
class Answer:
    """One answer of the scripted kernel, to the process `pid`; `got` is negative for a failure."""

    source: int
    pid: int
    got: int
    asked: int
    data: bytes


@dataclass(frozen=True)
class Result:
    """What one run has shown."""

    run: Run
    seed: int
    status: int
    first_keys: int
    failures: int
    faults: tuple[Fault, ...]
    draws: tuple[Draw, ...]
    log: tuple[Answer, ...]
    state: bytes  # the generator's memory when the draw had returned


_SIZES = struct.Struct("<7Q")
_INSTRUCTION = struct.Struct("<3Q")
_RESULT = struct.Struct("<IIiIIxxxxQQQ")
_FAULT = struct.Struct("<IxxxxQQQ")
_RECORD = struct.Struct("<iiIIIiqQQQQ")
_ANSWER = struct.Struct("<IiqQ")
_NOWHERE = (1 << 64) - 1


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        message = "the injector has ended"
        raise EOFError(message)
    return data


def _rows(stream: IO[bytes], row: struct.Struct, count: int) -> list[tuple[int, ...]]:
    return list(row.iter_unpack(_read(stream, row.size * count))) if count else []


class Injector:
    """The injector at work on one draw."""

    def __init__(
        self,
        library: Path,
        target: Target,
        sizes: Sizes | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Start it and read the draw's instructions.

        Args:
            library (Path): The core under test.
            target (Target): The draw.
            sizes (Sizes | None): The core's constants, once they are known.
            environment (Mapping[str, str]): Its environment variables.
        """
        self.target = target
        self._teller: threading.Thread | None = None
        following = (24, sizes.batch - 1) if sizes else (24, 24)
        program = cores.program(
            "inject", "inject.c", "places.c", "stepping.c", "subject.c", "telling.c", "traced.c"
        )
        command: list[str | Path] = [
            program,
            library,
            str(target.length),
            ",".join(map(str, following)),
        ]
        if target.preparation:
            command.append(",".join(map(str, target.preparation)))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
        )
        assert self._process.stdin
        assert self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        try:
            self._read_trace()
        except EOFError as error:
            reason = self._why_it_ended()
            self.close()
            raise reason from error

    def _read_trace(self) -> None:
        *constants, count = _SIZES.unpack(_read(self._output, _SIZES.size))
        self.sizes = Sizes(*constants)
        self.trace = Trace(
            tuple(
                Instruction(
                    None if offset == _NOWHERE else offset,
                    pc,
                    bool(bits & TOUCHES_GENERATION),
                    bool(bits & TOUCHES_WORD),
                )
                for offset, pc, bits in _rows(self._output, _INSTRUCTION, count)
            )
        )

    def _why_it_ended(self) -> Exception:
        assert self._process.stderr
        message = self._process.stderr.read().decode().strip()
        status = self._process.wait()
        if status == NOT_HERE:
            return NotHereError(message)
        return RuntimeError(f"the injector ended with status {status}: {message}")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._teller:
            self._teller.join()
        with contextlib.suppress(BrokenPipeError):  # what was not read any more
            self._input.close()
        self._output.close()
        if self._process.stderr:
            self._process.stderr.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def _tell(self, runs: list[Run]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended: the reader will notice
            self._input.writelines(run.line().encode() for run in runs)
            self._input.close()

    def results(self, runs: Iterable[Run]) -> Iterator[Result]:
        """Make these runs, which are the last ones; yield what each has shown."""
        runs = list(runs)
        self._teller = threading.Thread(target=self._tell, args=(runs,))
        self._teller.start()
        for run in runs:
            try:
                yield self._result(run)
            except EOFError as error:
                raise self._why_it_ended() from error

    def _result(self, run: Run) -> Result:
        out = self._output
        header = _RESULT.unpack(_read(out, _RESULT.size))
        seed, fault_count, status, records, entries, first_keys, failures, used = header
        faults = _rows(out, _FAULT, MAX_FAULTS)[:fault_count]
        draws = _rows(out, _RECORD, records)
        log = tuple(self._answer() for _ in range(entries))
        arena = _read(out, used) if used else b""
        return Result(
            run,
            seed,
            status,
            first_keys,
            failures,
            tuple(
                Fault(kinds.BY_LETTER[letter], Outcome(outcome), *rest)
                for letter, (outcome, *rest) in zip(run.faults, faults, strict=False)
            ),
            tuple(self._draw(row, arena) for row in draws),
            log,
            _read(out, self.sizes.state),
        )

    def _draw(self, row: tuple[int, ...], arena: bytes) -> Draw:
        pid, began, serial, role, fork, error, got, length, before, after, offset = row
        data = arena[offset : offset + length]
        return Draw(pid, began, serial, Role(role), fork, error, got, length, before, after, data)

    def _answer(self) -> Answer:
        source, pid, got, asked = _ANSWER.unpack(_read(self._output, _ANSWER.size))
        return Answer(source, pid, got, asked, _read(self._output, max(got, 0)))
