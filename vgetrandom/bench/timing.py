# SPDX-License-Identifier: MIT
"""How one call is timed: the samplers that the groups consist of."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from itertools import repeat
from time import perf_counter_ns, thread_time
from timeit import Timer
from typing import NamedTuple

from .peers import Call, Peer

Sampler = Callable[[], dict[str, float]]
"""Takes one sample: nanoseconds by case, "" if the peer's name is enough."""


class Draw(NamedTuple):
    """What a sampler times: one call of a peer."""

    peer: Peer
    size: int
    call: Call


def timer(call: Call) -> Timer:
    """A timer of processor time that calls the C function directly.

    timeit compiles a loop for each timer. In a shared loop the interpreter would specialise the
    call for one peer and slow down the next one.
    """
    names = [f"argument{i}" for i in range(len(call.arguments))]
    return Timer(
        f"function({', '.join(names)})",
        # Locals of the loop cost less to look up than globals. But the function is a global, as it
        # is for most users: a free-threaded interpreter would count the references from locals,
        # and the threads would wait for each other because of that count.
        setup="; ".join(f"{name} = values[{i}]" for i, name in enumerate(names)) or "pass",
        globals={"function": call.function, "values": call.arguments},
        # The time that this thread spent, in the kernel too, without what others took from it
        # meanwhile. That is fair because no peer waits for anything.
        timer=thread_time,
    )


def calibrate(timed: Timer, seconds: float) -> int:
    """Find how many calls take that long, which also warms up.

    Args:
        timed: What to run.
        seconds: How long one sample should take, in processor time.

    Returns:
        The number of calls, at least 1.
    """
    loops = 1
    while (took := timed.timeit(loops)) < seconds:
        # At most tenfold, because a short trial is inaccurate.
        loops = min(loops * 10, int(loops * seconds / max(took, 1e-9) * 1.1) + 1)
    return loops


def untimed(calls: int) -> int:
    """How many calls to make before that many are timed.

    The previous row has left its data in the caches, and the heap and the processor in a state that
    suits it. With large results, the first call reuses pages that the previous row freed, or has
    to fetch new ones. Without untimed calls that would be charged to this row.
    """
    return max(1, calls // 10)


def per_call(draw: Draw, seconds: float) -> Sampler:
    """Mean nanoseconds per call over a calibrated loop."""
    timed = timer(draw.call)
    loops = calibrate(timed, seconds)

    def sample() -> dict[str, float]:
        timed.timeit(untimed(loops))
        return {"": timed.timeit(loops) / loops * 1e9}

    return sample


def in_threads(count: int, draw: Draw, seconds: float) -> Sampler:
    """Nanoseconds per draw of all threads together: elapsed time over the sum of their draws."""
    loops = calibrate(timer(draw.call), seconds)

    def sample() -> dict[str, float]:
        spans: list[tuple[int, int]] = []
        together = threading.Barrier(count)

        def work() -> None:
            timed = timer(draw.call)
            timed.timeit(untimed(loops))
            try:
                together.wait()
            except threading.BrokenBarrierError:
                return
            start = perf_counter_ns()
            timed.timeit(loops)
            spans.append((start, perf_counter_ns()))

        threads = [threading.Thread(target=work) for _ in range(count)]
        try:
            for thread in threads:
                thread.start()
        except BaseException:  # no more threads can be started, or Ctrl-C
            together.abort()  # otherwise those that have started would wait for ever
            raise
        for thread in threads:
            thread.join()
        elapsed = max(end for _, end in spans) - min(start for start, _ in spans)
        return {"": elapsed / (count * loops)}

    return sample


def distribution(draw: Draw, seconds: float) -> Sampler:
    """How long single calls take, the clock's own cost included."""
    # The 99.9th percentile needs thousands of calls, which is too many for large requests.
    calls = max(1000, min(20_000, 10 * calibrate(timer(draw.call), seconds)))
    function, arguments = draw.call

    def sample() -> dict[str, float]:
        times = []
        for _ in repeat(None, untimed(calls)):
            function(*arguments)
        for _ in repeat(None, calls):
            start = perf_counter_ns()
            function(*arguments)
            times.append(perf_counter_ns() - start)
        times.sort()
        return {
            "median": statistics.median(times),
            "p99": times[calls * 99 // 100],
            "p99.9": times[calls * 999 // 1000],
            "worst": times[-1],
        }

    return sample


def at_refill(draw: Draw, _seconds: float) -> Sampler | None:
    """The median of the calls that refilled the batch, identified by the peer's own counter."""
    if not draw.peer.refills:
        return None
    refills = draw.peer.refills()
    function, arguments = draw.call
    calls = 5000

    def sample() -> dict[str, float]:
        times = []
        for _ in repeat(None, untimed(calls)):
            function(*arguments)
        before = refills()
        for _ in repeat(None, calls):
            start = perf_counter_ns()
            function(*arguments)
            took = perf_counter_ns() - start
            after = refills()
            if after != before:
                times.append(took)
            before = after
        return {"": statistics.median(times)} if times else {}

    return sample
