# SPDX-License-Identifier: MIT
"""How the benchmark measures: in every order, under the same conditions for every row."""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.conditions import own_process
from vgetrandom import _peers
from vgetrandom.bench import allocator, control, measure
from vgetrandom.bench.groups import Case, Group
from vgetrandom.bench.measure import QUICK, Effort, Key, Result, Run, Step, plan
from vgetrandom.bench.order import rounds_until_balanced, turn
from vgetrandom.bench.peers import CONTROL, FILLED_BUFFERS, NEW_BYTES, OURS, Call, Function, Peer
from vgetrandom.bench.timing import Draw, Sampler, in_threads, per_call

MIB = 1 << 20


def quiet(_done: int, _step: Step) -> None:
    """Ignore progress."""


def group_of(start: Callable[[Draw, float], Sampler], **functions: Callable[..., object]) -> Group:
    """A group whose rows time these functions, of 16 MiB."""

    def binding(function: Callable[..., object]) -> Callable[[int], Call]:
        return lambda size: Call(function, (size,))

    peers = (Peer(name, binding(function)) for name, function in functions.items())
    return Group("mine", "of mine", (Function("", tuple(peers)),), (Case("", start),))


def run_of(group: Group, samples: int, size: int = 16 * MIB) -> Run:
    """Measure a group in this process."""
    run, effort = Run(), Effort("mine", samples, seconds=0)
    measure.measure([Step(group, group.functions[0], size)], effort, run, quiet)
    return run


# --- the order ---


def test_no_rows_take_no_turns() -> None:
    def absent(_size: int) -> Call:  # NumPy's rows, say, in an environment without it
        raise ImportError("no module")

    function = Function("", (Peer("absent", absent),))
    run = run_of(Group("mine", "of mine", (function,), (Case("", per_call),)), samples=2)
    assert run.absent == {"absent": "no module"}
    assert not run.samples


@pytest.mark.parametrize("rows", range(1, 14))
def test_no_position_is_favoured(rows: int) -> None:
    rounds = [turn(rows, number) for number in range(rounds_until_balanced(rows))]
    assert all(sorted(order) == list(range(rows)) for order in rounds)
    places = Counter((row, place) for order in rounds for place, row in enumerate(order))
    followers = Counter(pair for order in rounds for pair in pairwise(order))
    assert len(places) == rows * rows
    assert len(followers) == rows * (rows - 1)
    assert len(set(places.values())) == 1
    assert len(set(followers.values())) <= 1


def logging(log: list[str]) -> Callable[[Draw, float], Sampler]:
    """A way to time calls that only notes who is sampled."""

    def start(draw: Draw, _seconds: float) -> Sampler:
        def sample() -> dict[str, float]:
            log.append(draw.peer.name)
            return {"": 1.0}

        return sample

    return start


def test_rows_are_sampled_in_every_order_and_shown_in_one() -> None:
    log: list[str] = []
    run = run_of(group_of(logging(log), a=bytes, b=bytes, c=bytes, d=bytes), samples=4)
    rounds = [log[place : place + 4] for place in range(0, 16, 4)]
    assert ["abcd"[row] for row in turn(4, 0)] == rounds[0]
    assert {order[0] for order in rounds} == set("abcd")
    assert [key.name for key in run.samples] == list("abcd")


def test_a_worker_goes_on_where_the_one_before_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    sent: list[Any] = []
    group = group_of(logging(log), a=bytes, b=bytes, c=bytes, d=bytes)
    monkeypatch.setattr(measure, "GROUPS", (group,))
    monkeypatch.setitem(measure.EFFORTS, "two", Effort("two", samples=2, seconds=0, workers=2))
    for worker in range(2):
        measure.work(sent.append, "two", worker, [("mine", "", 16)])
    assert log == ["abcd"[row] for number in range(4) for row in turn(4, number)]
    samples, absent = sent[0]
    assert [key[:3] for key, _ in samples] == [("mine", name, 16) for name in "abcd"]
    assert absent == {}


def test_an_interrupted_step_keeps_what_it_has() -> None:
    log: list[str] = []

    def start(draw: Draw, seconds: float) -> Sampler:
        sample = logging(log)(draw, seconds)

        def interrupted() -> dict[str, float]:
            if len(log) == 3:
                raise KeyboardInterrupt
            return sample()

        return interrupted

    run, group = Run(), group_of(start, a=bytes, b=bytes)
    with pytest.raises(KeyboardInterrupt):
        measure.measure([Step(group, group.functions[0], 16)], QUICK, run, quiet)
    assert sum(map(len, run.samples.values())) == 3


def test_workers_add_their_samples_up() -> None:
    effort = Effort("quick", samples=0, seconds=0, workers=2)
    run = Run()
    steps = plan(["fill"], [16], QUICK)
    told: list[int] = []
    measure.measure(steps, effort, run, lambda done, _step: told.append(done))
    assert len(run.samples[Key("fill", "os.urandom", 16)]) == 2 * QUICK.samples
    assert told == [0, 1]


# --- the conditions ---


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def give_and_take(size: int) -> None:
    """Make a result, write all of it, and drop it."""
    _ = b"x" * size


def give_pages_back(size: int) -> None:
    """Leave the heap as a bad neighbour does: without the pages that the next row takes."""
    give_and_take(2 * size)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


@own_process
def test_two_names_for_one_function_have_the_same_page_faults() -> None:
    log: dict[str, list[int]] = {"first": [], "second": []}

    def counting(name: str) -> Callable[[int], None]:
        def call(size: int) -> None:
            before = faults()
            give_and_take(size)
            log[name].append(faults() - before)

        return call

    functions = {"first": counting("first"), "neighbour": give_pages_back}
    run_of(group_of(per_call, **functions, second=counting("second")), samples=6)
    # Of each sample the last call is the one that is timed.
    timed = [each for calls in log.values() for each in calls[-2 * 6 :][1::2]]
    assert len(timed) == 12
    assert max(timed) - min(timed) < 16 * MIB // resource.getpagesize() // 10, log


@own_process
def test_large_results_are_kept_pages_up_to_32_mib_and_new_ones_above() -> None:
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        pytest.skip("not glibc: malloc has nothing to settle")
    if sys.implementation.name == "pypy":
        pytest.skip("PyPy's results are the garbage collector's, which malloc does not settle")
    allocator.settle()
    for size, new in ((16 * MIB, False), (33 * MIB, True)):
        pages = size // resource.getpagesize()
        give_and_take(size)
        before = faults()
        give_and_take(size)
        assert (faults() - before > pages / 2) == new


def test_all_peers_fill_the_same_buffer() -> None:
    # Ours and the kernel's take nothing but the buffer.
    if not _peers.vdso_available():
        pytest.skip("no vDSO getrandom was found in this process")
    names = ("random_bytes_into", "kernel vDSO")
    calls = [peer.bind(4096) for peer in FILLED_BUFFERS if peer.name in names]
    assert len(calls) == 2
    assert len({id(buffer) for call in calls for buffer in call.arguments}) == 1


@pytest.mark.parametrize("start", [per_call, lambda draw, seconds: in_threads(1, draw, seconds)])
def test_the_function_itself_is_called(start: Callable[[Draw, float], Sampler]) -> None:
    seen: list[object] = []
    timed = Draw(NEW_BYTES[0], 16, Call(lambda *arguments: seen.append(arguments), (1, b"2")))
    start(timed, 0)()
    assert set(seen) == {(1, b"2")}


def mapped_bytes() -> int:
    """The address space that this process has taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


@own_process
def test_threads_do_not_wait_for_one_that_could_not_be_started() -> None:
    stack = 512 * MIB
    threading.stack_size(stack)
    room_for_one = mapped_bytes() + stack + stack // 2
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (room_for_one, most))
    sample = in_threads(2, Draw(NEW_BYTES[0], 16, Call(bytes, (16,))), 0)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        sample()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(10)
            assert not thread.is_alive(), "the thread that was started waits for the other one"


# --- what the samples say ---


def result(name: str, *samples: float, size: int = 16) -> Result:
    return Result(Key("bytes", name, size), samples)


def test_noise_is_a_warning_only_where_it_hides_a_difference() -> None:
    noisy = result("noisy", 80, 100, 120), result("noisy too", 85, 105, 125)
    quiet = result("quiet", 99, 100, 101), result("quiet too", 99, 100, 101)
    apart = result("fast", 80, 100, 120), result("slow", 800, 1000, 1200)
    assert measure.too_noisy(list(noisy)) == ["bytes 16: noisy / noisy too"]
    assert measure.too_noisy(list(quiet)) == []
    assert measure.too_noisy(list(apart)) == []


def test_noise_does_not_mix_cases() -> None:
    rows = [result("a, p99", 80, 100, 120), result("a, worst", 85, 105, 125)]
    assert measure.too_noisy(rows) == []


def test_noise_does_not_mix_functions() -> None:
    key = Key("random", "a", 0, "random()")
    rows = [Result(key, (80, 100, 120)), Result(key._replace(call="f()"), (85, 105, 125))]
    assert measure.too_noisy(rows) == []
    rows = [Result(key, (80, 100, 120)), Result(key._replace(name="b"), (85, 105, 125))]
    assert measure.too_noisy(rows) == ["random random(): a / b"]


def test_the_control_tells_what_cannot_be_told_apart() -> None:
    rows = [result(OURS, 100.0), result(CONTROL, 98.0), result("other", 1.0)]
    medians = {row.key: row.median for row in rows}
    assert control.sentence({}) == ""
    assert control.sentence(medians) == "random_bytes under two names differs by 2.0 %"
    for size, twice in ((32, 100.5), (64, 107.0)):
        medians |= {Key("bytes", OURS, size): 100.0, Key("bytes", CONTROL, size): twice}
    assert control.sentence(medians) == (
        "random_bytes under two names differs by 7.0 % at most, 2.0 % in the median"
    )
    assert [row.key.name for row in control.without(rows)] == [OURS, "other"]


def test_samples_have_the_digits_that_mean_something() -> None:
    run = Run()
    for value in (123.456789, 0.00123456, 98765432.1):
        run.add(Key("bytes", "a", 16), value)
    assert run.samples[Key("bytes", "a", 16)] == [123.5, 0.001235, 98770000.0]
