# SPDX-License-Identifier: MIT
"""Signals in the middle of large draws: handlers run, Ctrl-C ends them, and forks share nothing."""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.bindings import BINDINGS, through_cffi
from support.conditions import stateful
from support.running import Fork, threads
from support.windows import assert_unrelated

if TYPE_CHECKING:
    from collections.abc import Iterator

REFILL = 64 << 10  # bytes at most that a large draw computes under one key


def refills() -> int:
    """How far draws have come."""
    stats = vgetrandom.stats()
    return stats.refills + stats.fallbacks


@contextlib.contextmanager
def signalled(number: signal.Signals, after: int = 200) -> Iterator[None]:
    """Send this process a signal when a draw in the block is on its way: after so many refills."""
    start = refills()
    stop = threading.Event()

    def wait(_: int) -> None:
        while not stop.is_set():
            if refills() - start >= after:
                os.kill(os.getpid(), number)
                return

    with threads(1, wait):
        try:
            yield
        finally:
            stop.set()


@contextlib.contextmanager
def handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    """Have a handler for a signal."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@stateful
def test_ctrl_c_ends_a_draw_of_8_gib_in_its_first_half() -> None:
    size = 8 << 30
    before = refills()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with pytest.raises(KeyboardInterrupt), signalled(signal.SIGINT):
            vgetrandom.random_bytes(size)
    except MemoryError:
        pytest.skip("this machine does not even promise 8 GiB")
    assert refills() - before < size // REFILL // 2
    # What was not drawn yet takes no memory.
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert kibibytes << 10 < size // 2


@stateful
@pytest.mark.parametrize("binding", BINDINGS, ids=lambda module: module.__name__)
def test_ctrl_c_leaves_nothing_in_the_buffer(binding: Any) -> None:
    memory = mmap.mmap(-1, 128 << 20)
    interrupted = False
    try:
        with signalled(signal.SIGINT):
            binding.random_bytes_into(memory)
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        assert memory[: 1 << 20] == bytes(1 << 20)
        assert memory[200 * REFILL : 300 * REFILL].strip(b"\0") == b""


def test_signal_handlers_run_in_between(api: Any) -> None:
    drawn: list[bytes] = []
    with handled(signal.SIGALRM, lambda *_: drawn.append(vgetrandom.random_bytes(16))):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.002, 0.01)
            data = api.random_bytes(64 << 20)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    assert drawn
    assert len(data) == 64 << 20
    assert not any(piece in data for piece in drawn[:3])


def common(parent: bytes, child: bytes, stride: int) -> int:
    """How many of the parent's 16 bytes at multiples of `stride` the child has too, at any 16."""
    wanted = {parent[at : at + 16] for at in range(0, len(parent) - 15, stride)}
    return sum(child[at : at + 16] in wanted for at in range(0, len(child) - 15, 16))


@stateful
def test_where_a_handler_forks_parent_and_child_go_on_and_share_nothing(api: Any) -> None:
    size = 24 << 20
    drawing = False
    fork = Fork()
    refills_at_fork = refills_after_fork = 0

    def fork_while_drawing(*_: object) -> None:
        nonlocal refills_at_fork
        if drawing:
            fork()
            refills_at_fork = refills()

    for _ in range(20):
        fork = Fork()
        with handled(signal.SIGUSR1, fork_while_drawing), signalled(signal.SIGUSR1, after=50):
            drawing = True
            ours = api.random_bytes(size)
            drawing = False
            if fork.happened:
                refills_after_fork = refills() - refills_at_fork
                theirs = fork.tell(ours)
        if refills_after_fork:  # or else the handler ran when all was drawn, and both have it
            break
    assert refills_after_fork, "the signal never came before the draw's end"
    assert any(theirs[:16])
    assert common(ours, theirs, stride=512) == 0
    assert common(theirs, ours, stride=512) == 0


def test_a_fork_while_the_result_is_copied_shares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler may fork there too: Python runs it between any two of its steps."""
    core = through_cffi()
    fork = Fork()

    def fork_at_copying(source: Any) -> bytes:
        fork()
        return bytes(source)

    monkeypatch.setattr(core, "bytes", fork_at_copying, raising=False)
    ours = core.random_bytes(48)
    theirs = fork.tell(ours)
    assert len(theirs) == 48
    assert_unrelated(ours, theirs)
