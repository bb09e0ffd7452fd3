"""What is measured: one entry per group in GROUPS."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from . import first_use, timing
from .timing import Draw, Sampler

MIB = 1 << 20
MAX_SIZE = 16 * MIB
SIZES = (1, 8, 16, 32, 64, 256, 1024, 4096, 16384, 65536, MIB, MAX_SIZE)
QUICK_SIZES = (1, 16, 32, 64, 256, 4096, 65536, MIB)


@dataclass(frozen=True)
class Case:
    """One way to time a draw.

    Attributes:
        name: Follows the peer's name in the tables; empty where a group has but one case.
        start: Prepares a sampler whose samples take about so many seconds where that can be
            chosen. None where it does not apply to the peer; raises AbsentError where this machine
            cannot do it.
    """

    name: str
    start: Callable[[Draw, float], Sampler | None]


@dataclass(frozen=True)
class Group:
    """Rows that are measured in turn and shown together.

    Attributes:
        name: What the command line and the files call it.
        title: What its figures are.
        kind: Whether peers return new bytes or fill a buffer.
        sizes: Bytes per draw.
        quick_sizes: The same for `--quick`.
        cases: The ways each peer is timed.
        peers: Names of the peers that take part; empty for all that can.
        throughput: Whether bytes per second mean something here.
    """

    name: str
    title: str
    kind: Literal["new", "fill"]
    sizes: tuple[int, ...]
    quick_sizes: tuple[int, ...]
    cases: tuple[Case, ...]
    peers: tuple[str, ...] = ()
    throughput: bool = True


_STATEFUL = ("random_bytes", "os.urandom", "kernel vDSO", "ssl.RAND_bytes")


def _thread_counts() -> list[int]:
    """1, 2, 4 and so on up to the cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return [*(1 << i for i in range((cores - 1).bit_length())), cores]


GROUPS: tuple[Group, ...] = (
    Group(
        "bytes",
        "new bytes: time per call",
        kind="new",
        sizes=SIZES,
        quick_sizes=QUICK_SIZES,
        cases=(Case("", timing.per_call),),
    ),
    Group(
        "fill",
        "a reused buffer (os.urandom gives new bytes): time per call",
        kind="fill",
        sizes=SIZES,
        quick_sizes=(16, 4096, MIB),
        cases=(Case("", timing.per_call),),
    ),
    Group(
        "threads",
        "several threads drawing at once: elapsed time per draw of all of them",
        kind="new",
        sizes=(16, 65536),
        quick_sizes=(16, 65536),
        cases=tuple(
            Case(f"{count} thread{'s' * (count > 1)}", partial(timing.in_threads, count))
            for count in _thread_counts()
        ),
        peers=_STATEFUL,
    ),
    Group(
        "first-use",
        "the first draw after an event: time of one call",
        kind="new",
        sizes=(16,),
        quick_sizes=(16,),
        cases=(
            Case("fresh process", first_use.in_fresh_process),
            Case("fresh thread", first_use.in_fresh_thread),
            Case("after fork", first_use.after_fork),
            Case("after a drop", first_use.after_drop),
            Case("after a kernel reseed", first_use.after_kernel_reseed),
        ),
        peers=_STATEFUL,
        throughput=False,
    ),
    Group(
        "latency",
        "single calls, the clock's own cost included",
        kind="new",
        sizes=(16,),
        quick_sizes=(16,),
        cases=(Case("", timing.distribution), Case("refill", timing.at_refill)),
        peers=_STATEFUL,
        throughput=False,
    ),
)
