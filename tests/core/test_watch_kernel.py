# SPDX-License-Identifier: MIT
"""The kernel's reseed generation: what is taken for it, and what a change of it does."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import threading
from ctypes import CDLL, get_errno
from pathlib import Path

import pytest

import vgetrandom
from support.libraries import hooked
from support.model import Model
from support.running import in_child, in_thread, join
from support.script import Kernel, new_kernel

INFO = vgetrandom.info()
RNDRESEEDCRNG = 0x5207
CLONE_NEWTIME = 0x80

READY = 1
GENERATION = 1000  # the scripted kernel's first
PLACE = 80  # its word in the scripted [vvar]
BATCH = 4096  # more than one batch

own_process = pytest.mark.own_process
NOT_WATCHED = "the kernel's reseed generation cannot be watched here"
DISAGREED = "turned out not to be the kernel's generation"

limited = pytest.mark.skipif(
    bool({"VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO"} & set(os.environ)),
    reason="the environment takes away the watch for this run",
)
pytestmark = limited


# --- the running kernel ---


def reseed_kernel() -> None:
    """Have the kernel reseed, which bumps its generation."""
    descriptor = os.open("/dev/urandom", os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    except PermissionError as error:
        pytest.skip(f"only root may reseed the kernel (RNDRESEEDCRNG): {error}")
    finally:
        os.close(descriptor)


@pytest.mark.skipif(INFO.watch != "vdso-generation", reason=f"watch is {INFO.watch} on this kernel")
class TestRunningKernel:
    def reseeds_of_threads(self, count: int) -> int:
        """How many threads that had drawn start from a new key after a reseed of the kernel."""
        barrier = threading.Barrier(count + 1)

        def draw() -> None:
            for _ in range(2):
                vgetrandom.random_bytes(16)
                barrier.wait()
                barrier.wait()

        threads = [threading.Thread(target=draw) for _ in range(count)]
        for thread in threads:
            thread.start()
        barrier.wait()
        reseed_kernel()
        before = vgetrandom.stats().reseeds["generation"]
        barrier.wait()
        barrier.wait()
        after = vgetrandom.stats().reseeds["generation"]
        barrier.wait()
        for thread in threads:
            join(thread)
        return after - before

    def test_every_thread_s_next_draw_is_a_reseed(self) -> None:
        # The kernel reseeds by itself, too, about once a minute.
        assert 16 in [self.reseeds_of_threads(16) for _ in range(3)]

    def test_each_time(self) -> None:
        vgetrandom.random_bytes(16)
        before = vgetrandom.stats().reseeds["generation"]
        outputs = set()
        for _ in range(100):
            reseed_kernel()
            outputs |= {vgetrandom.random_bytes(16), vgetrandom.random_bytes(16)}
        assert vgetrandom.stats().reseeds["generation"] - before >= 100
        assert len(outputs) == 200

    def test_children_in_another_time_namespace(self) -> None:
        """Which has the pages of [vvar] in another order on some kernels (6.12)."""
        vgetrandom.random_bytes(16)

        def child() -> bytes:
            vgetrandom.random_bytes(BATCH)
            return vgetrandom.info().watch.encode()

        def parent() -> bytes:
            if CDLL(None, use_errno=True).unshare(CLONE_NEWTIME):
                return os.strerror(get_errno()).encode()
            return in_child(child)

        watch = in_child(parent).decode()
        if watch not in {"vdso-generation", "vmclock", "none"}:
            pytest.skip(f"no time namespace to be had: {watch}")
        assert watch == "vdso-generation"

    def test_is_not_told_as_missing(self) -> None:
        assert not any(NOT_WATCHED in note for note in INFO.notes)


# --- which word it is ---


def found(page: list[int], opaque: list[int]) -> tuple[int, int, int]:
    """How many candidates there are among these words, and where the last of them is."""
    ffi, lib = hooked()
    at_page, at_opaque = ffi.new("size_t *"), ffi.new("size_t *")
    in_page, in_opaque = ffi.new("uint64_t[]", page), ffi.new("uint64_t[]", opaque)
    count = lib.hook_watch_find(
        in_page, 8 * len(page), in_opaque, 8 * len(opaque), at_page, at_opaque
    )
    return count, at_page[0] // 8, at_opaque[0] // 8


def words(count: int, seed: int = 0) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(2, 2**64) for _ in range(count)]


@pytest.mark.parametrize("at", [0, 1, 80, 255, 509, 510])
@pytest.mark.parametrize("there", [0, 5, 17])
def test_one_candidate(at: int, there: int) -> None:
    page, opaque = words(512), words(18, 1)
    page[at : at + 2] = [77, READY]
    opaque[there] = 77
    assert found(page, opaque) == (1, at, there)


def test_the_other_words_may_be_zero() -> None:
    page, opaque = [0] * 512, [0] * 18
    page[3:5] = [77, READY]
    opaque[16] = 77
    assert found(page, opaque) == (1, 3, 16)


@pytest.mark.parametrize(
    ("value", "flag"),
    [(78, READY), (77, 0), (77, 2), (77, READY << 32), (77, READY | 1 << 32), (77 << 32, READY)],
)
def test_no_candidate(value: int, flag: int) -> None:
    page, opaque = words(512), words(18, 1)
    page[80:82] = [value, flag]
    opaque[5] = 77
    assert found(page, opaque)[0] == 0


def test_zero_is_no_generation() -> None:
    page, opaque = words(512), words(18, 1)
    page[80:82] = [0, READY]
    opaque[5] = 0
    assert found(page, opaque)[0] == 0


def test_the_last_word_of_a_page_has_no_flag_beside_it() -> None:
    page, opaque = words(512), words(18, 1)
    page[511] = 77
    opaque[5] = 77
    assert found(page, opaque)[0] == 0


def test_two_candidates() -> None:
    page, opaque = words(512), words(18, 1)
    page[80:82] = page[100:102] = [77, READY]
    opaque[5] = 77
    assert found(page, opaque)[0] == 2
    page[100] = 78
    opaque[6] = 77
    assert found(page, opaque)[0] == 2


# --- what becomes of it ---


def place(kernel: Kernel, value: int, flag: int = READY, at: int = PLACE, page: int = 0) -> None:
    kernel.script.vvar[page][at] = value
    kernel.script.vvar[page][at + 1] = flag


def draws_are_right(kernel: Kernel, count: int = 20) -> None:
    """Whatever is watched, the output is what the protocol says, under a new key."""
    model = Model(kernel)
    model.valid_for = 1
    model.keyed = True
    kernel.request()
    for _ in range(count):
        assert kernel.draw(1000) == model.draw(1000)


@own_process
def test_found_at_the_first_draw() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    assert not [note for note in kernel.notes() if "clone" not in note]  # test_clones.py has those
    kernel.reseed()
    before = kernel.stats().reseeds_generation
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before + 1
    draws_are_right(kernel)


@own_process
def test_found_in_another_page() -> None:
    kernel = new_kernel()
    place(kernel, 0, 0)
    place(kernel, GENERATION, at=5, page=1)
    kernel.script.vvar_pages = 2
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"


@own_process
@pytest.mark.parametrize("why", ["no pages", "no vdso", "not ready", "not the same", "zero"])
def test_not_found(why: str) -> None:
    kernel = new_kernel()
    if why == "no pages":
        kernel.script.vvar_pages = 0
    elif why == "no vdso":
        kernel.script.has_vdso = 0
    elif why == "not ready":
        place(kernel, GENERATION, 0)
    elif why == "not the same":
        place(kernel, GENERATION + 1)
    else:
        kernel.script.generation = 0
        place(kernel, 0)
    for _ in range(20):
        kernel.draw(BATCH)
    assert kernel.watch == "none"
    assert any(NOT_WATCHED in note for note in kernel.notes())
    # The kernel may reseed as it likes: nothing breaks, and nothing is claimed.
    place(kernel, GENERATION + 5, 0)
    before = kernel.stats().reseeds_generation
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before


@own_process
def test_found_later_where_the_kernel_was_not_ready() -> None:
    """Early after boot the vDSO has no generation yet."""
    kernel = new_kernel()
    kernel.script.generation = 0
    place(kernel, 0, 0)
    kernel.draw(16)
    assert kernel.watch == "none"
    assert kernel.lib.hook_watch_looking()
    kernel.reseed()
    for _ in range(64):
        kernel.draw(BATCH)
    assert not kernel.lib.hook_watch_looking()
    # In the pages that the first draw found: where they are is not asked for again.
    assert kernel.script.vvar_searches == 1
    assert kernel.watch == "vdso-generation"
    assert not any(NOT_WATCHED in note for note in kernel.notes())
    kernel.reseed()
    before = kernel.stats().reseeds_generation
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before + 1


@own_process
def test_two_candidates_are_none_until_one_is_left() -> None:
    kernel = new_kernel()
    place(kernel, GENERATION, at=200)
    for _ in range(8):
        kernel.draw(BATCH)
    assert kernel.watch == "none"
    place(kernel, GENERATION + 7, at=200)
    for _ in range(64):
        kernel.draw(BATCH)
    assert kernel.watch == "vdso-generation"


@own_process
def test_candidates_in_two_pages_are_none() -> None:
    kernel = new_kernel()
    kernel.script.vvar_pages = 2
    place(kernel, GENERATION, page=1)
    for _ in range(8):
        kernel.draw(BATCH)
    assert kernel.watch == "none"


def dropped_for_good(kernel: Kernel) -> None:
    """The watch is gone and says so, and does not come back."""
    assert kernel.watch == "none"
    assert any(DISAGREED in note for note in kernel.notes())
    assert not kernel.lib.hook_watch_looking()
    # As if the word was right after all.
    place(kernel, kernel.script.generation)
    for _ in range(64):
        kernel.draw(BATCH)
    assert kernel.watch == "none"
    before = kernel.stats().reseeds_generation
    kernel.reseed()
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before


@own_process
def test_a_constant_that_happened_to_match_is_dropped() -> None:
    kernel = new_kernel()
    place(kernel, 0, 0)
    place(kernel, GENERATION, at=200)
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    # The kernel reseeds; the word stays.
    kernel.script.generation = GENERATION + 1
    for _ in range(3):
        kernel.draw(BATCH)
    dropped_for_good(kernel)


@own_process
@pytest.mark.parametrize("step", [1, -1, 1 << 40])
def test_a_word_that_changes_all_the_time_is_dropped(step: int) -> None:
    kernel = new_kernel()

    def change(_call: int) -> None:
        # Not before it was found.
        if not kernel.lib.hook_watch_looking():
            kernel.script.vvar[0][PLACE] += step

    keep = kernel.on_call(change)
    for _ in range(10):
        kernel.draw(BATCH)
    kernel.script.on_call = kernel.ffi.NULL
    del keep
    dropped_for_good(kernel)


@own_process
def test_a_word_that_changes_meanwhile_costs_reseeds_and_nothing_else() -> None:
    kernel = new_kernel()
    outputs = [kernel.draw(16)]
    for step in range(100):
        kernel.script.vvar[0][PLACE] = 5000 + step
        outputs += [kernel.draw(16), kernel.draw(BATCH)[:16]]
    assert len(set(outputs)) == len(outputs)
    dropped_for_good(kernel)


@own_process
def test_a_dropped_page_is_no_disagreement() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    calls = kernel.calls
    keep = kernel.on_call(lambda call: kernel.drop() if call - calls < 50 else None)
    for _ in range(30):
        kernel.draw(BATCH)
    kernel.script.on_call = kernel.ffi.NULL
    del keep
    assert kernel.watch == "vdso-generation"


@own_process
def test_a_reseed_of_the_kernel_during_a_refill_is_no_disagreement() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    keep = kernel.on_call(lambda _call: kernel.reseed())
    for _ in range(30):
        kernel.draw(BATCH)
    kernel.script.on_call = kernel.ffi.NULL
    del keep
    assert kernel.watch == "vdso-generation"


@own_process
def test_states_of_all_threads_see_it() -> None:
    kernel = new_kernel()
    count = 16
    barrier = threading.Barrier(count)

    def draw(number: int) -> None:
        kernel.draw(16)
        if barrier.wait() == 0:
            kernel.reseed()
        barrier.wait()
        kernel.draw(16 + number)

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread)
    assert kernel.stats().reseeds_generation == count


# --- children in another time namespace ---


def moved(kernel: Kernel) -> None:
    """Show the word in the second page, which the parent could not read, and not in the first."""
    kernel.script.vvar_unreadable = 0
    place(kernel, 0, 0)
    place(kernel, GENERATION, page=1)


def watching_the_first_page() -> Kernel:
    kernel = new_kernel()
    kernel.script.vvar_pages = 2
    kernel.script.vvar_unreadable = 1 << 1
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    return kernel


@own_process
def test_a_child_finds_the_word_that_moved() -> None:
    kernel = watching_the_first_page()

    def child() -> bytes:
        moved(kernel)
        kernel.draw(BATCH)
        assert kernel.watch == "vdso-generation"
        assert not kernel.notes()
        before = kernel.stats().reseeds_generation
        kernel.draw(16)
        assert kernel.stats().reseeds_generation == before
        place(kernel, GENERATION + 1, page=1)
        kernel.script.generation = GENERATION + 1
        kernel.draw(16)
        assert kernel.stats().reseeds_generation == before + 1
        # Once: the next word to move is dropped.
        kernel.script.generation = GENERATION + 2
        place(kernel, 0, 0, page=1)
        place(kernel, GENERATION + 2)
        for _ in range(3):
            kernel.draw(BATCH)
        dropped_for_good(kernel)
        return b"ok"

    assert in_child(child) == b"ok"


@own_process
def test_who_was_not_forked_does_not_read_pages_that_could_not_be_read() -> None:
    kernel = watching_the_first_page()
    moved(kernel)
    for _ in range(3):
        kernel.draw(BATCH)
    dropped_for_good(kernel)


# --- the limit ---


@own_process
def test_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_WATCH", "off")
    kernel = new_kernel()
    kernel.draw(16)
    assert kernel.watch == "none"
    assert any("VGETRANDOM_WATCH=off" in note for note in kernel.notes())
    kernel.reseed()
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == 0
    assert not kernel.lib.hook_watch_looking()


@own_process
@pytest.mark.parametrize("value", ["on", "Off", "0", "vdso-generation"])
def test_what_is_not_known_is_reported(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_WATCH", value)
    kernel = new_kernel()
    assert kernel.watch == "vdso-generation"
    assert any("VGETRANDOM_WATCH has a value that is not known" in n for n in kernel.notes())


# --- the virtual machine's generation ---


def vmclock(
    magic: bytes = b"VCLK", size: int = 112, version: int = 1, flags: int = 1 << 8
) -> bytes:
    """A page as linux/vmclock-abi.h has it; the generation is at offset 104."""
    page = bytearray(4096)
    struct.pack_into("<4sIH", page, 0, magic, size, version)
    struct.pack_into("<Q", page, 24, flags)
    struct.pack_into("<Q", page, 104, 7)
    return bytes(page)


COUNTER, MARKER = 104, 16


def clone_machine(path: Path, generation: int, word: int = COUNTER) -> None:
    with path.open("r+b") as file:
        file.seek(word)
        file.write(struct.pack("<Q", generation))


@own_process
@pytest.mark.parametrize(
    ("page", "word"),
    [
        (vmclock(), COUNTER),
        (vmclock(flags=0x3FF), COUNTER),
        (vmclock(flags=0), MARKER),
        (vmclock(flags=~(1 << 8) & 0xFFFF, size=104), MARKER),
        (vmclock(size=111), MARKER),
    ],
    ids=["counter", "all flags", "no flags", "other flags", "no room"],
)
def test_vmclock_makes_the_next_draw_a_reseed(page: bytes, word: int, tmp_path: Path) -> None:
    path = tmp_path / "vmclock"
    path.write_bytes(page)
    kernel = new_kernel()
    kernel.script.vvar_pages = 0
    kernel.draw(16)
    assert kernel.lib.hook_watch_vmclock(str(path).encode())
    kernel.draw(16)
    assert kernel.watch == "vmclock"
    for generation in (8, 9, 3, 0, 2**64 - 1):
        before = kernel.stats().reseeds_generation
        kernel.draw(16)
        assert kernel.stats().reseeds_generation == before
        clone_machine(path, generation, COUNTER + MARKER - word)  # the other one
        kernel.draw(16)
        assert kernel.stats().reseeds_generation == before
        clone_machine(path, generation, word)
        kernel.draw(16)
        assert kernel.stats().reseeds_generation == before + 1
    assert any("disruption marker" in note for note in kernel.notes()) == (word == MARKER)
    if vgetrandom.info().clones != "vmgenid":
        assert kernel.text(kernel.info().clones) == "vmclock"


@own_process
def test_a_vmclock_that_may_not_be_opened_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "vmclock"
    path.write_bytes(vmclock())
    path.chmod(0)
    kernel = new_kernel()
    if os.geteuid() == 0:
        os.setuid(65534)
    assert not kernel.lib.hook_watch_vmclock(str(path).encode())
    assert any("may not be opened" in note for note in kernel.notes())


@own_process
def test_vmclock_beside_the_kernel_s_generation(tmp_path: Path) -> None:
    path = tmp_path / "vmclock"
    path.write_bytes(vmclock())
    kernel = new_kernel()
    kernel.draw(16)
    kernel.lib.hook_watch_vmclock(str(path).encode())
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"
    before = kernel.stats().reseeds_generation
    clone_machine(path, 8)
    kernel.draw(16)
    kernel.reseed()
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before + 2
    # Cloned in the middle of a draw: the draw is done again.
    keep = kernel.on_call(lambda call: clone_machine(path, 100 + call))
    fallbacks = kernel.stats().fallbacks
    kernel.draw(BATCH)
    kernel.script.on_call = kernel.ffi.NULL
    del keep
    assert kernel.stats().fallbacks == fallbacks + 1
    kernel.draw(16)


@own_process
@pytest.mark.parametrize(
    "page",
    [
        vmclock(magic=b"KLCV"),
        vmclock(size=31),
        vmclock(size=0),
        vmclock(version=2),
        vmclock(version=0),
        bytes(4096),
    ],
    ids=["magic", "size", "no size", "version", "no version", "zeros"],
)
def test_what_is_no_vmclock(page: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vmclock"
    path.write_bytes(page)
    kernel = new_kernel()
    assert not kernel.lib.hook_watch_vmclock(str(path).encode())
    assert not kernel.lib.hook_watch_vmclock(str(tmp_path / "missing").encode())
    assert not kernel.lib.hook_watch_vmclock(str(tmp_path).encode())
    kernel.draw(16)
    assert kernel.watch == "vdso-generation"


@own_process
def test_a_thread_that_has_never_drawn_is_not_concerned() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    kernel.reseed()
    in_thread(lambda: kernel.draw(16))
    assert kernel.stats().reseeds_generation == 0
    assert kernel.stats().reseeds_first == 2
