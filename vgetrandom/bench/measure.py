"""The method: every row of a group and size sampled in turn, so that noise meets them alike."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from . import child
from .groups import GROUPS, Group
from .peers import BASELINE, PEERS, AbsentError
from .timing import Draw, Sampler


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        name: The command-line flag without its dashes.
        samples: Samples per row in one process.
        seconds: How long one sample takes where that can be chosen.
        workers: Processes one after another; 0 measures in this one.
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
    """What is measured in turn: a group at one size."""

    group: Group
    size: int


def plan(names: Iterable[str], sizes: Iterable[int], effort: Effort) -> list[Step]:
    """Lay out the steps.

    Args:
        names: Names of groups.
        sizes: Bytes per draw; empty for each group's own.
        effort: Chooses between a group's sizes.

    Returns:
        The steps in the order of GROUPS.
    """
    wanted, chosen = set(names), tuple(sizes)
    return [
        Step(group, size)
        for group in GROUPS
        if group.name in wanted
        for size in chosen or (group.quick_sizes if effort is QUICK else group.sizes)
    ]


class Key(NamedTuple):
    """What names a row."""

    group: str
    name: str
    size: int


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
        """The middle half of the samples as a share of the median."""
        first, third = self.quartiles
        return (third - first) / self.median

    @property
    def case(self) -> str:
        """What follows the peer's name."""
        return self.key.name.partition(", ")[2]

    @property
    def baseline(self) -> Key:
        """The row of os.urandom that this one is held against."""
        return self.key._replace(name=_join(BASELINE, self.case))

    def as_json(self) -> dict[str, Any]:
        return {
            **self.key._asdict(),
            "unit": "ns",
            "median": self.median,
            "min": min(self.samples),
            "stddev": self.stddev,
            "samples": list(self.samples),
        }


@dataclass
class Run:
    """What has been measured so far; good to read after an interruption too."""

    samples: dict[Key, list[float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, key: Key, value: float) -> None:
        self.samples.setdefault(key, []).append(value)

    def results(self) -> list[Result]:
        return [Result(key, tuple(samples)) for key, samples in self.samples.items()]


Progress = Callable[[int, Step], None]
"""Told the number of steps done and the one that begins."""


def measure(steps: list[Step], effort: Effort, run: Run, progress: Progress) -> None:
    """Measure the steps into RUN, in workers where the effort asks for them.

    Raises:
        RuntimeError: A worker failed.
    """
    if not effort.workers:
        for done, step in enumerate(steps):
            progress(done, step)
            _measure_step(step, effort, run)
        return
    for worker in range(effort.workers):
        job = [(step.group.name, step.size) for step in steps]
        command = child.command(work, effort.name, job)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                for done, step in enumerate(steps):
                    progress(worker * len(steps) + done, step)
                    _merge(process.stdout.readline(), run)
            finally:
                process.kill()


def _merge(line: str, run: Run) -> None:
    if not line:
        raise RuntimeError("a worker process ended early")
    samples, absent = json.loads(line)
    run.absent.update(absent)
    for key, values in samples:
        for value in values:
            run.add(Key(*key), value)


def work(effort: str, job: list[tuple[str, int]]) -> None:
    """Measure in a worker: a line of JSON on standard output for each step."""
    groups = {group.name: group for group in GROUPS}
    for name, size in job:
        run = Run()
        _measure_step(Step(groups[name], size), EFFORTS[effort], run)
        print(json.dumps([list(run.samples.items()), run.absent]), flush=True)


def _measure_step(step: Step, effort: Effort, run: Run) -> None:
    with _no_garbage_collection():
        rows = list(_rows(step, effort, run))
        for _ in range(effort.samples):
            for name, sampler in rows:
                for case, value in sampler().items():
                    run.add(Key(step.group.name, _join(name, case), step.size), value)


def _join(name: str, case: str) -> str:
    return f"{name}, {case}" if case else name


def _rows(step: Step, effort: Effort, run: Run) -> Iterator[tuple[str, Sampler]]:
    """Prepare the samplers, under the names of their rows; note what is absent in RUN."""
    group, size = step
    for peer in PEERS:
        if group.peers and peer.name not in group.peers:
            continue
        try:
            call = peer.call(group.kind, size)
        except (ImportError, AbsentError) as reason:
            run.absent[peer.name] = str(reason)
            continue
        if not call:
            continue
        for case in group.cases:
            try:
                sampler = case.start(Draw(peer, size, call), effort.seconds)
            except AbsentError as reason:
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
"""A middle half wider than this share of its median is noise worth a word."""


def too_noisy(results: list[Result]) -> list[str]:
    """Find the neighbours that noise keeps from being told apart.

    Args:
        results: The rows of any groups and sizes.

    Returns:
        A line for each group, size and case that has such rows. Quiet rows that overlap are equal
        for every purpose and not worth a warning.
    """
    alike: dict[tuple[str, int, str], list[Result]] = {}
    for result in results:
        alike.setdefault((result.key.group, result.key.size, result.case), []).append(result)
    lines = []
    for (group, size, _), rows in alike.items():
        rows.sort(key=lambda row: row.median)
        pairs = [
            f"{a.key.name} / {b.key.name}"
            for a, b in pairwise(rows)
            if a.quartiles[1] >= b.quartiles[0] and max(a.spread, b.spread) > NOISY
        ]
        if pairs:
            lines.append(f"{group} {size}: {'; '.join(pairs)}")
    return lines
