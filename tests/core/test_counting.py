# SPDX-License-Identifier: MIT
"""stats(): every thread's work is counted, once, by the process that did it, in any memory."""

from __future__ import annotations

import errno
import json
import os
import resource
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support import programs
from support.conditions import own_process
from support.running import in_child, in_thread, meeting, raw_clone, threads
from support.script import Kernel, new_kernel
from support.seccomp import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = own_process

INFO = vgetrandom.info()
GRND_INSECURE = 4
MADV_WIPEONFORK = 18
KINDS = ("droppable", "wipe-on-fork", "none", "refused")

ways = pytest.mark.parametrize("fork", [os.fork, raw_clone])
kinds = pytest.mark.parametrize("kind", KINDS)


def core(kind: str, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A core with states in that kind of memory; "refused": the kernel refuses the advice."""
    if kind == "refused":
        refuse("madvise", errno.EINVAL, 2, 0xFFFFFFFF, MADV_WIPEONFORK)
    elif kind != "droppable":
        monkeypatch.setenv("VGETRANDOM_MEMORY", kind)
    kernel = new_kernel()
    memory = kernel.told("memory")
    if memory != ("none" if kind == "refused" else kind):
        pytest.skip(f"memory is {memory} here")
    return kernel


def counts(kernel: Kernel) -> dict[str, int]:
    """All counters but the reserved ones."""
    stats = kernel.stats()
    names = [name for name, _ in kernel.ffi.typeof("struct vgetrandom_stats").fields or ()]
    return {name: int(getattr(stats, name)) for name in names if name != "reserved"}


def told_of(kernel: Kernel) -> bytes:
    """The same, to be sent to the parent."""
    return json.dumps(counts(kernel)).encode()


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """What came since, without what did not change."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@ways
@kinds
def test_a_child_counts_from_its_first_draw(
    kind: str, fork: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = core(kind, monkeypatch)
    if kind == "refused" and fork is raw_clone:
        pytest.skip("where no page is wiped on fork, only a handler of fork(3) can tell")
    kernel.draw(10_000)
    in_thread(lambda: kernel.draw(10_000))
    before = counts(kernel)
    assert before["syscalls"] > 0

    def child() -> bytes:
        told = [counts(kernel)]
        for _ in range(1000):
            kernel.draw(16, GRND_INSECURE)
        told.append(counts(kernel))
        kernel.draw(16)
        told.append(counts(kernel))
        in_thread(lambda: kernel.draw(16, GRND_INSECURE))
        told.append(counts(kernel))
        grandchild = in_child(lambda: told_of(kernel), fork)
        return json.dumps([*told, json.loads(grandchild)]).encode()

    start, calls, drawn, thread, grandchild = json.loads(in_child(child, fork))
    nothing = dict.fromkeys(before, 0)
    assert start == nothing
    assert difference(calls, start) == {"syscalls": 1000}
    if kind in ("none", "refused"):
        assert difference(drawn, calls) == {"syscalls": 1, "fallbacks": 1}
    else:
        assert difference(drawn, calls) == {"refills": 1, "reseeds_wiped": 1, "syscalls": 1}
    assert difference(thread, drawn) == {"syscalls": 1}
    assert grandchild == nothing
    assert counts(kernel) == before
    kernel.draw(16, GRND_INSECURE)
    assert difference(counts(kernel), before) == {"syscalls": 1}


@kinds
def test_every_thread_is_counted_although_there_are_fewer_counters(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = core(kind, monkeypatch)
    count = 150
    barrier = meeting(count + 1)

    def draw(_: int) -> None:
        kernel.draw(16)
        barrier.wait()
        barrier.wait()
        for _ in range(20):
            kernel.draw(16, GRND_INSECURE)

    before = counts(kernel)
    with threads(count, draw):
        barrier.wait()
        began = difference(counts(kernel), before)
        barrier.wait()
    if kind in ("none", "refused"):
        assert began == {"syscalls": count, "fallbacks": count}
    else:
        assert began == {"syscalls": count, "refills": count, "reseeds_first": count}
    assert difference(counts(kernel), before) == began | {"syscalls": count + 20 * count}


@ways
def test_what_was_counted_without_memory_is_kept_when_there_is_some(
    fork: Callable[[], int],
) -> None:
    kernel = new_kernel()
    buffer = kernel.ffi.new("uint8_t[]", 16)
    stats = kernel.ffi.new("struct vgetrandom_stats *")
    draw, get_stats = kernel.lib.vgetrandom, kernel.lib.vgetrandom_get_stats
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, hard))
    try:
        for _ in range(50):
            draw(buffer, 16, 0)
        get_stats(stats)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert (stats.syscalls, stats.fallbacks) == (50, 50)
    # It tries to get memory again, each time after a longer pause.
    for _ in range(100):
        kernel.draw(16)
    if INFO.memory != "none":
        assert kernel.told("memory") == INFO.memory
        assert 50 < kernel.stats().syscalls <= 150
        assert 50 <= kernel.stats().fallbacks < 150
    before = counts(kernel)
    kernel.draw(16, GRND_INSECURE)
    assert difference(counts(kernel), before) == {"syscalls": 1}
    nothing = dict.fromkeys(before, 0)
    if INFO.memory != "none":
        assert json.loads(in_child(lambda: told_of(kernel), fork)) == nothing


@pytest.mark.c_program
def test_a_handler_that_forks_while_the_page_is_mapped_leaves_the_child_no_early_counts() -> None:
    """They are in memory that the child has too; the page says whose they are."""
    assert programs.figures("early_counts", timeout=60) == {"parent": 3, "child": 0}
