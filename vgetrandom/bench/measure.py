# SPDX-License-Identifier: MIT
"""The method: sample all rows of a step in turn, in varying order, so that none is favoured."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from vgetrandom import _child

from . import allocator, machine
from .groups import GROUPS, Group
from .order import turn
from .peers import AbsentError, Function
from .timing import Draw, Sampler


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        name: The command-line flag without its dashes.
        samples: Samples per row in one process.
        seconds: How long one sample takes, if that can be chosen.
        workers: How many processes measure, one after another; 0 measures in this one.
    """

    name: str
    samples: int
    seconds: float
    workers: int = 0


QUICK = Effort("quick", samples=9, seconds=0.003)
NORMAL = Effort("normal", samples=15, seconds=0.01)
RIGOROUS = Effort("rigorous", samples=10, seconds=0.02, workers=5)
EFFORTS = {effort.name: effort for effort in (QUICK, NORMAL, RIGOROUS)}


class Step(NamedTuple):
    """What is measured in turn: one function of a group, at one size."""

    group: Group
    function: Function
    size: int

    @property
    def label(self) -> str:
        """What the progress line shows."""
        what = f"{self.size} bytes" if self.group.has_sizes else self.function.label
        return f"{self.group.name}, {what}"


def plan(names: Iterable[str], sizes: Iterable[int], effort: Effort) -> list[Step]:
    """List the steps.

    Args:
        names: Names of groups.
        sizes: Bytes per draw, for the groups that have sizes; empty for each group's own.
        effort: Chooses between a group's sizes.

    Returns:
        The steps in the order of GROUPS.
    """
    wanted, chosen = set(names), tuple(sizes)
    return [
        Step(group, function, size)
        for group in GROUPS
        if group.name in wanted
        for function in group.functions
        for size in (group.has_sizes and chosen)
        or (group.quick_sizes if effort is QUICK else group.sizes)
    ]


class Key(NamedTuple):
    """The name of a row.

    Attributes:
        group: The group's name.
        name: The peer's name, and the case's after a comma.
        size: Bytes per call; 0 in a group without sizes.
        call: The function's label; empty if the group has only one.
    """

    group: str
    name: str
    size: int
    call: str = ""


@dataclass(frozen=True)
class Result:
    """One row: nanoseconds of a peer (and case) at one size."""

    key: Key
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def stddev(self) -> float:
        return statistics.stdev(self.samples) if len(self.samples) > 1 else 0.0

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.samples) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.samples, n=4, method="inclusive")
        return first, third

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        first, third = self.quartiles
        return (third - first) / self.median

    @property
    def case(self) -> str:
        """What follows the peer's name."""
        return self.key.name.partition(", ")[2]

    def beside(self, peer: str) -> Key:
        """Return the row of another peer that this one is compared with."""
        return self.key._replace(name=_join(peer, self.case))

    def as_json(self) -> dict[str, Any]:
        return {
            **self.key._asdict(),
            "unit": "ns",
            "median": float(f"{self.median:.5g}"),
            "min": min(self.samples),
            "stddev": float(f"{self.stddev:.3g}"),
            "samples": list(self.samples),
        }


@dataclass
class Run:
    """What has been measured so far; readable after an interruption too."""

    samples: dict[Key, list[float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, key: Key, value: float) -> None:
        # A sample is less accurate than four digits, and recorded runs stay small.
        self.samples.setdefault(key, []).append(float(f"{value:.4g}"))

    def results(self) -> list[Result]:
        return [Result(key, tuple(samples)) for key, samples in self.samples.items()]


Progress = Callable[[int, Step], None]
"""Called with the number of steps done and the step that begins."""


def measure(steps: list[Step], effort: Effort, run: Run, progress: Progress) -> None:
    """Measure the steps into RUN, in workers if the effort says so.

    Raises:
        RuntimeError: A worker failed.
        NoChildError: A worker cannot be started.
    """
    if not effort.workers:
        allocator.settle()
        for done, step in enumerate(steps):
            progress(done, step)
            _measure_step(step, effort, run)
        return
    job = [(step.group.name, step.function.label, step.size) for step in steps]
    for worker in range(effort.workers):
        # The order of the rows continues where the previous worker stopped.
        with _child.start_interpreter(work, effort.name, worker, job) as child:
            answers = child.results()
            for done, step in enumerate(steps):
                progress(worker * len(steps) + done, step)
                answer = next(answers, None)
                if answer is None:
                    raise RuntimeError(f"a worker process ended early: {child.ending()}")
                _merge(answer, run)


def _merge(answer: tuple[list[Any], dict[str, str]], run: Run) -> None:
    samples, absent = answer
    run.absent.update(absent)
    for key, values in samples:
        for value in values:
            run.add(Key(*key), value)


def work(
    send: Callable[[object], None],
    effort_name: str,
    worker: int,
    job: list[tuple[str, str, int]],
) -> None:
    """Measure in a worker, and send what each step brought."""
    functions = {
        (group.name, function.label): (group, function)
        for group in GROUPS
        for function in group.functions
    }
    effort = EFFORTS[effort_name]
    allocator.settle()
    for group, label, size in job:
        run = Run()
        step = Step(*functions[group, label], size)
        _measure_step(step, effort, run, first_round=worker * effort.samples)
        send([list(run.samples.items()), run.absent])


FREE_THREADING = "free threading"
"""What a run names absent if a free-threaded interpreter had a GIL while it was measured."""


def _measure_step(step: Step, effort: Effort, run: Run, first_round: int = 0) -> None:
    with _no_garbage_collection():
        rows = list(_rows(step, effort, run))
        if machine.gil_came_back():
            run.absent[FREE_THREADING] = "an import or PYTHON_GIL=1 turned the GIL on"
        samples: list[list[dict[str, float]]] = [[] for _ in rows]
        try:
            for number in range(first_round, first_round + effort.samples):
                for row in turn(len(rows), number):
                    samples[row].append(rows[row][1]())
        finally:
            # Tables list the rows in the order of the peers, not of the turns.
            for (name, _), taken in zip(rows, samples, strict=True):
                _add(step, name, taken, run)


def _add(step: Step, name: str, taken: list[dict[str, float]], run: Run) -> None:
    for sample in taken:
        for case, value in sample.items():
            key = Key(step.group.name, _join(name, case), step.size, step.function.label)
            run.add(key, value)


def _join(name: str, case: str) -> str:
    return f"{name}, {case}" if case else name


def _rows(step: Step, effort: Effort, run: Run) -> Iterator[tuple[str, Sampler]]:
    """Prepare the samplers, under the names of their rows; note what is absent in RUN."""
    group, function, size = step
    for peer in function.peers:
        try:
            call = peer.bind(size)
        except (ImportError, OSError, AbsentError) as reason:
            # Without the path in brackets, which must not reach a recorded run.
            run.absent[peer.name] = str(reason).partition(" (")[0]
            continue
        for case in group.cases:
            try:
                sampler = case.start(Draw(peer, size, call), effort.seconds)
            except (OSError, AbsentError) as reason:
                run.absent[f"{group.name}, {case.name}"] = str(reason)
                continue
            if sampler:
                yield _join(peer.name, case.name), sampler


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


NOISY = 0.05
"""Rows whose interquartile range is a larger share of the median are reported as noisy."""


def too_noisy(results: list[Result]) -> list[str]:
    """Find neighbouring rows that noise makes indistinguishable.

    Args:
        results: The rows of any groups and sizes.

    Returns:
        A line for each group, size and case that has such rows. Rows that overlap without being
        noisy are simply equal and need no warning.
    """
    alike: dict[Key, list[Result]] = {}
    for result in results:
        alike.setdefault(result.key._replace(name=result.case), []).append(result)
    lines = []
    for key, rows in alike.items():
        rows.sort(key=lambda row: row.median)
        pairs = [
            f"{a.key.name} / {b.key.name}"
            for a, b in pairwise(rows)
            if a.quartiles[1] >= b.quartiles[0] and max(a.spread, b.spread) > NOISY
        ]
        if pairs:
            lines.append(f"{key.group} {key.call or key.size}: {'; '.join(pairs)}")
    return lines
