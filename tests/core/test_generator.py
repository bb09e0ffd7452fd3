# SPDX-License-Identifier: MIT
"""vgetrandom_generator_*(): states that belong to objects instead of threads."""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
import struct
from typing import Any

import pytest

import vgetrandom
from support import libraries
from support.conditions import stateful
from support.mappings import MADV_DONTNEED, mapping_of, states_mappings
from support.model import Model
from support.running import end_of_child, in_child, in_thread, in_threads, meanwhile, meeting
from support.script import Kernel
from support.seccomp import refuse
from support.windows import assert_unique

SCRIPTED = libraries.scripted()

REFUSED = 77
WORDS = {"u64": (8, "<Q"), "u32": (4, "<I")}


class Drawn:
    """A generator object, through the functions of one of the libraries."""

    def __init__(self, library: Any = None) -> None:
        chosen: libraries.Library = library or libraries.shipped()
        self.ffi, self.lib = chosen
        self.it = self.lib.vgetrandom_generator_new()

    def word(self, kind: str = "u64") -> bytes:
        size, code = WORDS[kind]
        word: bytes = struct.pack(code, getattr(self.lib, f"vgetrandom_generator_{kind}")(self.it))
        assert len(word) == size
        return word

    def words(self, count: int, kind: str = "u64") -> bytes:
        return b"".join(self.word(kind) for _ in range(count))

    def double(self) -> float:
        return float(self.lib.vgetrandom_generator_double(self.it))

    def state(self) -> int:
        """Where its page is: the second word of the slot (csrc/slots.h)."""
        return int(self.ffi.cast("uintptr_t *", self.it)[1])

    def free(self) -> None:
        self.lib.vgetrandom_generator_free(self.it)


# --- over the scripted kernel: the words are those of the protocol ---


@pytest.mark.parametrize("kind", WORDS)
def test_words_are_those_of_a_draw(kind: str) -> None:
    kernel = Kernel(SCRIPTED, seed=3)
    generator = Drawn(SCRIPTED)
    model = Model(kernel)
    for number in range(2500):
        assert generator.word(kind) == model.draw(WORDS[kind][0]), number
    generator.free()


def test_words_of_both_sizes_and_doubles() -> None:
    kernel = Kernel(SCRIPTED, seed=4)
    generator = Drawn(SCRIPTED)
    model = Model(kernel)
    for number in range(2500):
        kind = "u32" if number % 3 == 1 else "u64"
        if number % 5 == 0:
            double = generator.double()
            word = int.from_bytes(model.draw(8), "little")
            assert double == (word >> 11) * 2.0**-53
        else:
            assert generator.word(kind) == model.draw(WORDS[kind][0]), number
    generator.free()


@pytest.mark.parametrize("event", ["drop", "reseed_kernel", "request"])
def test_what_happens_between_two_words_is_noticed(event: str) -> None:
    kernel = Kernel(SCRIPTED, seed=5)
    generator = Drawn(SCRIPTED)
    model = Model(kernel)
    for number in range(1200):
        if number % 100 == 50:
            getattr(model, event)()
            if event == "drop":
                kernel.ffi.memmove(
                    kernel.ffi.cast("void *", generator.state()),
                    bytes(model.layout.state_bytes),
                    model.layout.state_bytes,
                )
            elif event == "reseed_kernel":
                kernel.reseed()
            else:
                kernel.request()
        assert generator.word() == model.draw(8), number
    assert sum(model.reseeds.values()) == 13
    generator.free()


@stateful
def test_each_has_a_state_of_its_own_and_gives_it_back() -> None:
    library = libraries.hooked()
    ffi, lib = library

    def work() -> None:
        lib.vgetrandom(ffi.new("char[8]"), 8, 0)
        thread = int(ffi.cast("uintptr_t", lib.hook_state()))
        generators = [Drawn(library) for _ in range(40)]
        assert len({thread} | {generator.state() for generator in generators}) == 41
        mapped = states_mappings()
        for generator in generators:
            generator.words(10)
            page = ffi.buffer(ffi.cast("char *", generator.state()), 4000)
            assert any(bytes(page))
            generator.free()
            assert not any(bytes(page))
        again = [Drawn(library) for _ in range(40)]
        assert states_mappings() == mapped
        for generator in again:
            generator.free()

    in_thread(work)


def test_no_double_is_one() -> None:
    generator = Drawn()
    doubles = [generator.double() for _ in range(20_000)]
    assert all(0 <= double < 1 for double in doubles)
    # Of 53 bits: the lowest is set in half of them.
    assert 9000 < sum(int(double * 2**53) & 1 for double in doubles) < 11_000
    generator.free()


# --- over the real kernel ---


@stateful
def test_dropped_pages_are_noticed() -> None:
    generator = Drawn()
    words = [generator.words(50)]
    before = vgetrandom.stats().reseeds["wiped"]
    for _ in range(100):
        mapping_of(generator.state()).advise(MADV_DONTNEED)
        words.append(generator.words(8))
    assert vgetrandom.stats().reseeds["wiped"] >= before + 100
    assert_unique(words)
    generator.free()


@stateful
def test_drops_at_any_time_show_nowhere() -> None:
    generator = Drawn()

    def drop() -> None:
        for mapping in states_mappings():
            mapping.advise(MADV_DONTNEED)

    with meanwhile(drop):
        words = [generator.words(2000) for _ in range(20)]
    assert_unique(words)
    generator.free()


def test_a_forked_child_draws_other_words() -> None:
    generator = Drawn()
    first = generator.words(101)
    child = in_child(lambda: generator.words(600))
    grandchild = in_child(lambda: in_child(lambda: generator.words(600)))
    assert_unique([first + generator.word(), child, grandchild, generator.words(600)])
    generator.free()


@stateful
def test_after_a_fork_a_state_is_still_its_object_s() -> None:
    """The child frees the states of threads that it does not have, not those of objects."""
    library = libraries.hooked()
    ffi, lib = library

    def state_of_this_thread() -> int:
        buffer = ffi.new("char[16]")
        assert lib.vgetrandom(buffer, 16, 0) == 16
        return int(ffi.cast("uintptr_t", lib.hook_state()))

    generators = [Drawn(library) for _ in range(20)]
    for generator in generators[::2]:
        generator.word()

    def child() -> bytes:
        mine = {generator.state() for generator in generators}
        states = [state_of_this_thread()]
        here = meeting(30)

        def draw(_: int) -> None:
            states.append(state_of_this_thread())
            here.wait()

        in_threads(30, draw)
        more = [Drawn(library).state() for _ in range(20)]
        words = [generator.words(4) for generator in generators]
        assert_unique(words)
        return b"%d" % len(mine & {*states, *more})

    def with_a_thread() -> None:
        state_of_this_thread()
        assert in_child(child) == b"0"

    in_thread(with_a_thread)
    for generator in generators:
        generator.free()


def test_where_no_state_is_kept_each_word_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def child() -> bytes:
        os.environ["VGETRANDOM_MEMORY"] = "none"
        generator = Drawn(libraries.fresh("hooked"))
        stats = generator.ffi.new("struct vgetrandom_stats *")
        data = generator.words(100) + generator.words(200, "u32")
        generator.lib.vgetrandom_get_stats(stats)
        generator.free()
        assert_unique([data])
        return b"%d %d" % (stats.syscalls, stats.fallbacks)

    monkeypatch.delenv("VGETRANDOM_MEMORY", raising=False)
    assert in_child(child) == b"300 300"


def test_a_kernel_that_fails_ends_the_process() -> None:
    """There is no word that could stand for an error."""

    def draw(standard_error: int) -> None:
        os.dup2(standard_error, 2)
        faulthandler.disable()
        generator = Drawn()
        try:
            refuse("getrandom", errno.EPERM)
        except OSError:
            os._exit(REFUSED)
        generator.word()

    said, code = end_of_child(draw)
    if code == REFUSED:
        pytest.skip("seccomp filters are refused here")
    assert code == -signal.SIGABRT
    assert b"getrandom(2) failed" in said
