# SPDX-License-Identifier: MIT
"""After a fork of any kind, parent and children never share 16 bytes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from multiprocessing import forkserver
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support import programs
from support.conditions import stateful
from support.places import ROOT
from support.running import (
    finish,
    glibc_fork,
    in_child,
    in_thread,
    in_threads,
    meanwhile,
    raw_clone,
    read_all,
    threads,
)
from support.windows import assert_unrelated

if TYPE_CHECKING:
    from collections.abc import Callable

INFO = vgetrandom.info()
TESTS = ROOT / "tests"
ways = pytest.mark.parametrize("fork", [os.fork, glibc_fork, raw_clone])


def draw() -> bytes:
    """Draw in several sizes; each is a piece of one stream."""
    sizes = (16, 32, 1, 15, 500, 4000)
    return b"".join(vgetrandom.random_bytes(size) for size in sizes)


@ways
@pytest.mark.parametrize("served", [0, 16, 1000])
def test_parent_and_child_share_nothing(fork: Callable[[], int], served: int) -> None:
    outputs = [vgetrandom.random_bytes(served) if served else b""]
    for _ in range(3):
        outputs.append(in_child(draw, fork))
        outputs.append(draw())
    assert_unrelated(*(output for output in outputs if len(output) >= 16))


@ways
def test_children_forked_from_one_state_share_nothing(fork: Callable[[], int]) -> None:
    vgetrandom.random_bytes(16)
    outputs = [in_child(lambda: vgetrandom.random_bytes(256), fork) for _ in range(20)]
    assert_unrelated(vgetrandom.random_bytes(256), *outputs)


@ways
def test_generations_share_nothing(fork: Callable[[], int], rounds: int) -> None:
    def generation(number: int) -> bytes:
        before = vgetrandom.random_bytes(64)
        below = in_child(lambda: generation(number - 1), fork) if number else b""
        return before + below + vgetrandom.random_bytes(64)

    assert_unrelated(generation(2 * rounds))


@pytest.mark.parametrize("fork", [os.fork])
def test_where_the_parent_has_never_drawn(fork: Callable[[], int]) -> None:
    def family() -> None:
        # This thread's first draws are in its children.
        outputs = [in_child(draw, fork), in_child(draw, fork), draw()]
        assert_unrelated(*outputs)

    in_thread(family)


# Not the other ways: behind Python's back the child of one thread waits for the GIL of another.
# tests/c does that (test_generations_of_threads).
@pytest.mark.parametrize("fork", [os.fork])
def test_from_another_thread_than_the_main_one(fork: Callable[[], int]) -> None:
    outputs = [draw()]

    def family() -> None:
        outputs.extend([draw(), in_child(draw, fork), draw(), in_child(draw, fork)])

    in_thread(family)
    outputs.append(draw())
    assert_unrelated(*outputs)


def test_while_other_threads_draw(rounds: int) -> None:
    outputs: list[bytes] = []

    def draw_here() -> None:
        outputs.append(vgetrandom.random_bytes(10_000))
        del outputs[:-50]

    def child() -> bytes:
        mine = [draw()]
        in_threads(3, lambda _: mine.append(draw()))
        return b"".join(mine)

    with meanwhile(draw_here, count=3):
        children = [in_child(child) for _ in range(2 * rounds)]
    assert_unrelated(*children, *outputs[-20:], draw())


def test_large_draws_of_another_thread_go_on_in_the_parent_alone() -> None:
    vgetrandom.random_bytes(16)
    large: list[bytes] = []
    with threads(1, lambda _: large.append(vgetrandom.random_bytes(64 << 20))):
        children = [in_child(draw) for _ in range(5)]
    for child in children:
        assert child[:16] not in large[0]
    assert_unrelated(*children)


PRELOADED = "support.drawn"


def _put(pipe: object) -> None:
    pipe.send_bytes(draw())  # type: ignore[attr-defined]
    pipe.send(PRELOADED in sys.modules)  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        # A new server, which draws before all children are forked from it.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        monkeypatch.setenv("PYTHONPATH", str(TESTS))
        # Else the server finds the checkout's half of the package first, and preloads nothing.
        monkeypatch.setenv("PYTHONSAFEPATH", "1")
        context.set_forkserver_preload([PRELOADED])
    vgetrandom.random_bytes(16)
    outputs = [draw()]
    children = []
    for _ in range(3):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_put, args=(sender,))  # type: ignore[attr-defined]
        process.start()
        sender.close()
        children.append((process, receiver))
    for process, receiver in children:
        outputs.append(receiver.recv_bytes())
        assert receiver.recv() == (method == "forkserver")
        process.join()
        assert process.exitcode == 0
    assert_unrelated(*outputs, draw())


PROGRAM = "import sys, vgetrandom; sys.stdout.buffer.write(vgetrandom.random_bytes(1000))"


@pytest.mark.parametrize("close_fds", [True, False])
def test_vfork_and_exec(close_fds: bool) -> None:
    """subprocess uses vfork(2), whose child runs in this process's memory until it executes."""
    before = vgetrandom.random_bytes(1000)
    children = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            check=True,
            close_fds=close_fds,
            cwd="/",
        ).stdout
        for _ in range(2)
    ]
    assert_unrelated(before, *children, vgetrandom.random_bytes(1000))


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="PyPy has no os.posix_spawn")
def test_posix_spawn() -> None:
    before = vgetrandom.random_bytes(1000)
    receiver, sender = os.pipe()
    action = (os.POSIX_SPAWN_DUP2, sender, 1)
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-P", "-c", PROGRAM], os.environ, file_actions=[action]
    )
    os.close(sender)
    child = read_all(receiver)
    finish(pid)
    assert_unrelated(before, child, vgetrandom.random_bytes(1000))


@ways
def test_counters_start_again_in_the_child(fork: Callable[[], int]) -> None:
    vgetrandom.random_bytes(100_000)
    before = vgetrandom.stats()

    def counters() -> bytes:
        stats = vgetrandom.stats()
        counts = [stats.refills, stats.syscalls, stats.fallbacks, *stats.reseeds.values()]
        vgetrandom.random_bytes(16)
        stats = vgetrandom.stats()
        counts += [stats.refills, stats.syscalls, stats.fallbacks, *stats.reseeds.values()]
        return " ".join(map(str, counts)).encode()

    counts = list(map(int, in_child(counters, fork).split()))
    assert counts[:7] == [0] * 7
    if INFO.memory == "none":
        assert counts[7:] == [0, 1, 1, 0, 0, 0, 0]
    else:
        refills, syscalls, fallbacks, first, wiped, generation, requested = counts[7:]
        assert (refills, fallbacks) == (1, 0)
        assert (first, wiped, generation, requested) == (0, 1, 0, 0)
        assert syscalls >= 1
    after = vgetrandom.stats()
    assert after.refills >= before.refills
    assert after.reseeds["first"] >= before.reseeds["first"]


@pytest.mark.c_program
@stateful
@pytest.mark.parametrize("order", ["first", "second", "last"])
@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("how", ["fork", "clone"])
def test_generations_of_threads(how: str, where: str, order: str, rounds: int) -> None:
    """Each generation forks while its threads draw: states are distinct, none is lost."""
    figures = programs.figures("fork_threads", 2 * rounds, 4, how, where, order)
    # The surviving thread's first draw frees its parent's states; with "last" there is none.
    if order != "last":
        assert figures["mapped_last"] == figures["mapped_second"] > 0


@pytest.mark.c_program
@stateful
@pytest.mark.parametrize("how", ["fork", "clone"])
def test_more_threads_than_one_slab_has(how: str, rounds: int) -> None:
    figures = programs.figures("fork_threads", rounds, 16, how, "main", "first")
    assert figures["mapped_last"] == figures["mapped_second"] == figures["mapped_first"] > 0
