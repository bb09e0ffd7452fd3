# SPDX-License-Identifier: MIT
"""What is measured: one entry per group in GROUPS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import drop_ins, first_use, machine, timing
from .peers import BASELINE, FILLED_BUFFERS, NEW_BYTES, OURS, Function, Peer
from .timing import Draw, Sampler

MIB = 1 << 20
MAX_SIZE = 64 * MIB
FILL_SIZES = (1, 8, 16, 32, 64, 256, 1024, 4096, 16384, 65536, MIB, 16 * MIB)
# The largest results have new pages each time (allocator.py).
SIZES = (*FILL_SIZES, MAX_SIZE)
QUICK_SIZES = (1, 16, 32, 64, 256, 4096, 65536, MIB)


@dataclass(frozen=True)
class Case:
    """One way to time a draw.

    Attributes:
        name: Follows the peer's name in the tables; empty if a group has only one case.
        start: Prepares a sampler whose samples take about that many seconds, if that can be
            chosen. Returns None if the case does not apply to the peer, and raises AbsentError if
            this machine cannot do it.
    """

    name: str
    start: Callable[[Draw, float], Sampler | None]


NO_SIZE = (0,)
"""The sizes of a group whose calls have no size in bytes."""


@dataclass(frozen=True)
class Group:
    """Rows that are shown together.

    Attributes:
        name: What the command line and the files call it.
        title: What its figures mean.
        functions: What is measured.
        cases: The ways each peer is timed.
        sizes: Bytes per draw.
        quick_sizes: The same for `--quick`.
        baseline: The peer that the ratios are relative to.
        throughput: Whether bytes per second make sense here.
    """

    name: str
    title: str
    functions: tuple[Function, ...]
    cases: tuple[Case, ...] = (Case("", timing.per_call),)
    sizes: tuple[int, ...] = NO_SIZE
    quick_sizes: tuple[int, ...] = NO_SIZE
    baseline: str = BASELINE
    throughput: bool = False

    @property
    def has_sizes(self) -> bool:
        """Whether its calls have a size in bytes."""
        return self.sizes != NO_SIZE


def _draw(*peers: Peer) -> tuple[Function, ...]:
    return (Function("", peers),)


_STATEFUL = _draw(
    *(peer for peer in NEW_BYTES if peer.name in (OURS, BASELINE, "kernel vDSO", "ssl.RAND_bytes"))
)


def _thread_counts() -> list[int]:
    """1, 2, 4 and so on up to the cores that this process may use."""
    most = machine.cores()
    return [*(1 << i for i in range((most - 1).bit_length())), most]


GROUPS: tuple[Group, ...] = (
    Group(
        "bytes",
        "new bytes: time per call",
        _draw(*NEW_BYTES),
        sizes=SIZES,
        quick_sizes=QUICK_SIZES,
        throughput=True,
    ),
    Group(
        "fill",
        "a reused buffer (os.urandom gives new bytes): time per call",
        _draw(*FILLED_BUFFERS),
        sizes=FILL_SIZES,
        quick_sizes=(16, 4096, MIB),
        throughput=True,
    ),
    Group(
        "threads",
        "several threads drawing at once: elapsed time per draw of all of them",
        _STATEFUL,
        cases=tuple(
            Case(f"{count} thread{'s' * (count > 1)}", partial(timing.in_threads, count))
            for count in _thread_counts()
        ),
        sizes=(16, 65536),
        quick_sizes=(16, 65536),
        throughput=True,
    ),
    Group(
        "first-use",
        "the first draw after an event: time of one call",
        _STATEFUL,
        cases=(
            Case("fresh process", first_use.in_fresh_process),
            Case("fresh thread", first_use.in_fresh_thread),
            Case("after fork", first_use.after_fork),
            Case("after a drop", first_use.after_drop),
            Case("after a kernel reseed", first_use.after_kernel_reseed),
        ),
        sizes=(16,),
        quick_sizes=(16,),
    ),
    Group(
        "latency",
        "single calls, the clock's own cost included",
        _STATEFUL,
        cases=(Case("", timing.distribution), Case("refill", timing.at_refill)),
        sizes=(16,),
        quick_sizes=(16,),
    ),
    Group(
        "random",
        "SystemRandom beside the standard library's, and its insecure generator: time per call",
        drop_ins.RANDOM_FUNCTIONS,
        baseline=drop_ins.RANDOM,
    ),
    Group(
        "secrets",
        "tokens beside the standard library's: time per call",
        drop_ins.SECRETS_FUNCTIONS,
        baseline=drop_ins.SECRETS,
    ),
    Group(
        "uuid",
        "UUIDs beside others that give uuid.UUID objects, and their text: time per call",
        drop_ins.UUID_FUNCTIONS,
        baseline=drop_ins.UUID,
    ),
    Group(
        "numpy",
        "numbers and arrays beside NumPy's insecure generators: time per call",
        drop_ins.NUMPY_FUNCTIONS,
        baseline=drop_ins.NUMPY,
    ),
    Group(
        "opentelemetry",
        "trace ids beside the SDK's, which are insecure: time per call",
        drop_ins.OPENTELEMETRY_FUNCTIONS,
        baseline=drop_ins.OPENTELEMETRY,
    ),
)
