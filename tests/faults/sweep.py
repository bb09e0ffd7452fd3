# SPDX-License-Identifier: MIT
"""Faults at many instructions of one draw, each run judged."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from vgetrandom.bench import machine

from .injector import Injector, Run
from .kinds import LETTERS
from .oracle import Oracle, late_looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .injector import Instruction, Result, Sizes, Target

LONGEST_GAP = 3000


@dataclass
class Tally:
    """What was done and what came of it."""

    target: str

    instructions: int = 0  # of the draw
    places: set[int] = field(default_factory=set)  # of them, that a fault was injected at
    runs: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # by fault
    violations: list[str] = field(default_factory=list)
    violating_runs: int = 0

    def add(self, result: Result, instruction: Instruction, found: list[str]) -> None:
        """Count one run."""
        self.runs += 1
        self.places.add(result.run.at)
        for fault in result.faults:
            self.outcomes[fault.kind.letter, fault.outcome.name] += 1
        if found:
            self.violating_runs += 1
            where = "outside" if instruction.offset is None else f"{instruction.offset:#x}"
            self.violations += [f"{result.run} at {where}: {text}" for text in found]

    def __iadd__(self, other: Self) -> Self:
        """Count the runs of another tally of the same draw too."""
        if other.instructions != self.instructions:
            message = f"{self.target}: {self.instructions} instructions, then {other.instructions}"
            raise RuntimeError(message)
        self.places |= other.places
        self.runs += other.runs
        self.outcomes += other.outcomes
        self.violations += other.violations
        self.violating_runs += other.violating_runs
        return self


def executions(instructions: Sequence[Instruction], most: int | None) -> list[int]:
    """Return the places of a draw to inject at.

    Args:
        instructions (Sequence[Instruction]): The draw's, in the order in which they were executed.
        most (int | None): How many executions of each instruction to take at its first executions,
            and as many at its last ones; None for all.
    """
    if most is None:
        return list(range(len(instructions)))
    places: dict[int, list[int]] = {}
    for at, instruction in enumerate(instructions):
        places.setdefault(instruction.pc, []).append(at)
    return sorted({at for all_ in places.values() for at in all_[:most] + all_[-most:]})


def thin(places: Sequence[int], most: int) -> list[int]:
    """Return at most so many of the places, evenly spread."""
    step = max(1.0, len(places) / most)
    return [places[int(i * step)] for i in range(min(most, len(places)))]


def singles(places: Iterable[int], faults: str = LETTERS) -> Iterator[Run]:
    """Yield a run for every place and fault."""
    return (Run(at, fault) for at in places for fault in faults)


def pairs(places: Sequence[int], count: int, seed: int) -> list[Run]:
    """Return runs with two faults at random; close together more often than far apart."""
    source = random.Random(seed)
    return [
        Run(
            source.choice(places),
            source.choice(LETTERS) + source.choice(LETTERS),
            int(LONGEST_GAP ** source.random()),
        )
        for _ in range(count)
    ]


def _begin(injector: Injector) -> Tally:
    """Judge what the draw without any fault has shown already."""
    late = late_looks(injector.trace)
    return Tally(
        injector.target.name,
        len(injector.trace.instructions),
        violations=late,
        violating_runs=len(late),
    )


def judge(injector: Injector, runs: Sequence[Run], sizes: Sizes) -> Tally:
    """Make these runs and judge them."""
    tally = _begin(injector)
    for result in injector.results(runs):
        found = Oracle(result, sizes, injector.trace).violations()
        tally.add(result, injector.trace.instructions[result.run.at], found)
    return tally


def _start_on(processors: multiprocessing.SimpleQueue[int]) -> None:
    os.sched_setaffinity(0, {processors.get()})


def _judge_anew(
    library: Path, target: Target, sizes: Sizes, environment: Mapping[str, str], runs: Sequence[Run]
) -> Tally:
    with Injector(library, target, sizes, environment) as injector:
        return judge(injector, runs, sizes)


def processes() -> ProcessPoolExecutor:
    """Return one process for each processor: an injector stays on one (stepping.h says why)."""
    context = multiprocessing.get_context("spawn")
    processors = context.SimpleQueue()
    if not hasattr(os, "sched_getaffinity"):  # PyPy 7.3: they go wherever the kernel puts them
        return ProcessPoolExecutor(machine.cores(), context)
    for processor in os.sched_getaffinity(0):
        processors.put(processor)
    return ProcessPoolExecutor(machine.cores(), context, _start_on, (processors,))


class Workers:
    """Processes that share runs out among them."""

    def __init__(self) -> None:
        """Start none yet."""
        self._count = machine.cores()
        self._pool = processes()

    def judge(
        self,
        library: Path,
        target: Target,
        sizes: Sizes,
        runs: Sequence[Run],
        environment: Mapping[str, str] = os.environ,
    ) -> Tally:
        """Make these runs and judge them, shared out among the processors.

        Args:
            library (Path): The core under test.
            target (Target): The draw.
            sizes (Sizes): The core's constants.
            runs (Sequence[Run]): The runs.
            environment (Mapping[str, str]): The core's environment variables.

        Returns:
            Tally: What came of all of them.
        """
        shares = [runs[i :: self._count] for i in range(self._count)]
        pending = [
            self._pool.submit(_judge_anew, library, target, sizes, dict(environment), share)
            for share in shares
        ]
        tally, *others = [future.result() for future in pending]
        for other in others:
            tally += other
        return tally

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._pool.shutdown(cancel_futures=True)


def caught(library: Path, target: Target, faults: Iterable[str], sizes: Sizes) -> Tally:
    """Look for violations until there is one, at each instruction's first and last execution."""
    with Injector(library, target, sizes) as injector:
        places = executions(injector.trace.instructions, 1)
        runs = [
            Run(at, fault, gap)
            for fault in faults
            for at in places
            for gap in ((1, 3, 10) if len(fault) > 1 else (1,))
        ]
        tally = _begin(injector)
        if tally.violating_runs:
            return tally
        for result in injector.results(runs):
            found = Oracle(result, sizes, injector.trace).violations()
            tally.add(result, injector.trace.instructions[result.run.at], found)
            if found:
                break
    return tally
