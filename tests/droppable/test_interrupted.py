# SPDX-License-Identifier: MIT
"""A cache that is interrupted between any two bytecodes, with a dict to tell what is right.

At each bytecode of put(), get(), drop() and close() comes, in one run each: an exception; a signal
handler or thread that stores as much as the cache holds; the loss of every page; a fork. Whatever
it is, no key has another's bytes, the other keys have what they had or nothing, and the cache goes
on working.
"""

from __future__ import annotations

import copy
import functools
import pickle
import random
import time
import traceback
from mmap import PAGESIZE
from typing import TYPE_CHECKING

import pytest

from support import opcodes
from support.drops import needs_droppable_memory
from support.running import Fork, in_child, meanwhile
from vgetrandom import _ring, droppable
from vgetrandom.droppable import DroppableCache, DroppableMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = needs_droppable_memory

SIZE = PAGESIZE + 904  # the values of two pages lie in both
MODULES = [droppable, _ring]


def value(key: object, size: int = 1000) -> bytes:
    """What is stored under a key, with zeros where they are hardest."""
    text = b"\0\0%r." % key
    return (text * size)[:size]


class Checked:
    """A cache, and a dict that has all values that a key may have."""

    def __init__(self, keys: Iterable[int] = range(5)) -> None:
        self.cache = DroppableCache(SIZE)
        self.may_be: dict[object, set[bytes | None]] = {}
        self.left = 0  # keys in the index that stand for nothing
        self.meanwhile: dict[object, set[bytes | None]] = {}
        for key in keys:
            self.put(key, value(key))

    def put(self, key: object, new: bytes) -> None:
        old = self.may_be.get(key, {None})
        self.may_be[key] = {None, new} | old  # until it has returned
        self.cache.put(key, new)
        self.may_be[key] = {None, new}

    def check(self) -> None:
        for key, values in list(self.may_be.items()):
            assert self.cache.get(key) in values | self.meanwhile.get(key, set()), key

    def go_on(self) -> None:
        """Store several times as much as it holds, in other sizes."""
        for key in range(100, 125):
            self.put(key, value(key, 700 + key))
            assert self.cache.get(key) == value(key, 700 + key)
            self.check()
        most = SIZE // 800
        assert len(self.cache._index) <= most + self.left
        # And places that were overwritten are forgotten: one more is the one before the oldest.
        assert sum(1 for _ in self.cache._ring.places()) <= most + 2


# What is interrupted.
SITUATIONS: dict[str, tuple[Callable[[], Checked], Callable[[Checked], object]]] = {
    "first put": (lambda: Checked([]), lambda it: it.put("new", value("new"))),
    "put": (Checked, lambda it: it.put("new", value("new"))),
    "put that pushes out": (
        lambda: Checked(range(7)),
        lambda it: it.put("new", value("new", 1900)),
    ),
    "put that wraps": (lambda: Checked(range(9)), lambda it: it.put("new", value("new", 1500))),
    "put in place of another": (Checked, lambda it: it.put(3, value(3, 1100))),
    "put of all": (Checked, lambda it: it.put("new", value("new", SIZE))),
    "put of zeros": (Checked, lambda it: it.put("new", bytes(1200))),
    "put of nothing": (Checked, lambda it: it.put("new", b"")),
    "get": (Checked, lambda it: it.check()),
    "drop": (Checked, lambda it: it.cache.drop()),
}


def overrun(it: Checked) -> None:
    """What a signal handler or another thread may do meanwhile: store all that it holds."""
    for key in range(200, 208):
        it.put(key, value(key, 900))


def overrun_and_interrupt(it: Checked) -> None:
    overrun(it)
    it.left = 1
    opcodes.interrupt()


def store_the_same(it: Checked) -> None:
    for key in ("new", 3):
        it.meanwhile[key] = {b"other"}  # of two put() at the same time either may be the last
        it.cache.put(key, b"other")


def lose_all(it: Checked) -> None:
    it.cache._memory.drop()


ACTIONS = {
    "exception": lambda _: opcodes.interrupt(),
    "as much as it holds": overrun,
    "both": overrun_and_interrupt,
    "the same keys": store_the_same,
    "loss": lose_all,
}
THOROUGH = (ACTIONS["exception"], overrun)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_at_every_bytecode(
    situation: tuple[Callable[[], Checked], Callable[[Checked], object]],
    action: Callable[[Checked], object],
) -> None:
    make, work = situation
    at = 0
    while True:
        it = make()
        count = opcodes.run(functools.partial(work, it), MODULES, at, functools.partial(action, it))
        it.check()
        if at % 19 == 0:
            it.go_on()
        it.cache.close()
        if at >= count:
            break
        at += 1 if action in THOROUGH else 3
    assert at > 5


def test_one_cache_interrupted_again_and_again() -> None:
    """Nothing adds up: the index stays as small as what the cache holds."""
    it = Checked()
    count = opcodes.run(lambda: it.put("new", value("new")), MODULES)
    for at in range(count):
        opcodes.run(functools.partial(it.put, at, value(at)), MODULES, at)
    it.check()
    it.go_on()


def test_close_at_every_bytecode() -> None:
    at = count = 0
    while at <= count:
        it = Checked()
        count = opcodes.run(it.cache.close, MODULES, at)
        it.cache.close()
        assert it.cache._memory.closed
        with pytest.raises(ValueError, match="closed"):
            it.cache.get(1)
        at += 1


def test_closed_at_every_bytecode_of_a_put() -> None:
    at = count = 0
    while at <= count:
        it = Checked()

        def put(it: Checked = it) -> None:
            try:
                it.put("new", value("new", 2000))
            except ValueError as error:
                assert "closed" in str(error)  # noqa: PT017

        count = opcodes.run(put, MODULES, at, it.cache.close)
        if at < count:
            with pytest.raises(ValueError, match="closed"):
                it.cache.get("new")
        at += 1


def test_closed_while_the_traceback_of_an_interrupted_put_is_kept() -> None:
    count = opcodes.run(lambda: Checked([]).put("new", value("new")), MODULES)
    for at in range(count):
        it = Checked([])
        kept: list[BaseException] = []

        def put(it: Checked = it, kept: list[BaseException] = kept) -> None:
            try:
                it.put("new", value("new"))
            except opcodes.Interrupted as error:
                kept.append(error)

        opcodes.run(put, MODULES, at)
        it.cache.close()
        with pytest.raises(ValueError, match="closed"):
            it.cache.get("new")


def test_forked_at_every_bytecode() -> None:
    """Parent and child both finish the put(); the child finds what it stored after the fork."""
    at = count = 0
    while at <= count:
        it = Checked(range(7))
        fork = Fork()
        told = "right"
        try:
            put = functools.partial(it.put, "new", value("new", 1900))
            count = opcodes.run(put, MODULES, at, fork)
            it.check()
            assert fork.in_child or it.cache.get("new") == value("new", 1900)
            it.go_on()
        except BaseException:
            if not fork.in_child:
                raise
            told = traceback.format_exc()
        if fork.happened:
            assert fork.tell(told.encode()) == b"right"
        it.cache.close()
        at += 7


def test_forked_while_another_thread_stores() -> None:
    cache = DroppableCache(1 << 20)

    def child() -> bytes:
        for key in range(50):
            cache.put(key, value(key))
        assert all(cache.get(key) == value(key) for key in range(50))
        return b"right"

    with meanwhile(lambda: cache.put("a", b"x" * 200_000)):
        for _ in range(20):
            assert in_child(child) == b"right"


def test_interrupted_for_real() -> None:
    """Threads that store and threads that are interrupted, by exceptions that come at any time."""
    it = DroppableCache(SIZE)

    def use() -> None:
        key = random.randrange(16)
        assert it.get(key) in (None, value(key))
        it.put(key, value(key))

    with meanwhile(use, count=3):
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            opcodes.run(functools.partial(it.put, 20, value(20)), MODULES, 57)


# --- what cannot be copied ---

UNIQUE: dict[str, Callable[[], object]] = {
    "memory": lambda: DroppableMemory(1),
    "entry": lambda: DroppableMemory(1).store(b"x"),
    "cache": lambda: DroppableCache(1),
}


@pytest.mark.parametrize("make", UNIQUE.values(), ids=UNIQUE)
@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, *(functools.partial(pickle.dumps, protocol=p) for p in range(6))],
)
def test_refuses_to_be_copied(make: Callable[[], object], way: Callable[[object], object]) -> None:
    it = make()
    with pytest.raises(TypeError, match=f"cannot copy or pickle '{type(it).__name__}' object"):
        way(it)


def test_refuses_in_subclasses_and_containers() -> None:
    class Mine(DroppableCache):
        pass

    with pytest.raises(TypeError, match="cannot copy or pickle 'Mine' object"):
        copy.deepcopy({"cache": Mine(1)})
