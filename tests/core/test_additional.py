# SPDX-License-Identifier: MIT
"""Bytes that reseed() is given go into every later key, and can only add to it."""

from __future__ import annotations

import errno
import os
import random
import signal
import struct
from typing import TYPE_CHECKING

import pytest

from support import reference
from support.conditions import new_thread, own_process
from support.libraries import hooked, layout_of, scripted
from support.mappings import mapping_of
from support.model import Model
from support.running import in_child, in_thread, in_threads, meeting
from support.script import Kernel, new_kernel
from support.seccomp import refuse
from support.windows import windows

if TYPE_CHECKING:
    from collections.abc import Callable

MADV_WIPEONFORK = 18
LAYOUT = layout_of(scripted())
BATCH = LAYOUT.batch_bytes
BULK = LAYOUT.bulk_bytes


def hchacha20(key: bytes, data: bytes) -> bytes:
    ffi, lib = hooked()
    out = ffi.new("uint8_t[32]")
    lib.hook_hchacha20(out, key, data)
    return bytes(ffi.buffer(out))


def pool(kernel: Kernel) -> bytes:
    return bytes(kernel.ffi.buffer(kernel.lib.hook_additional_pool(), 32))


def check(kernel: Kernel, model: Model, size: int) -> None:
    assert kernel.draw(size) == model.draw(size)
    model.assert_page()


def give(kernel: Kernel, model: Model, data: bytes) -> None:
    kernel.request(data)
    model.request(data)


# --- the hash ---


def test_hchacha20_of_the_draft() -> None:
    """draft-irtf-cfrg-xchacha-03, section 2.2.1."""
    data = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(bytes(range(32)), data).hex() == expected
    assert reference.hchacha20(bytes(range(32)), data).hex() == expected


def test_hchacha20_as_another_implementation_has_it() -> None:
    for _ in range(200):
        key, data = random.randbytes(32), random.randbytes(16)
        assert hchacha20(key, data) == reference.hchacha20(key, data)


def test_hchacha20_in_place() -> None:
    ffi, lib = hooked()
    key, data = random.randbytes(32), random.randbytes(16)
    both = ffi.new("uint8_t[32]", list(key))
    lib.hook_hchacha20(both, both, data)
    assert bytes(ffi.buffer(both)) == reference.hchacha20(key, data)


# --- what becomes of the bytes ---


@own_process
def test_nothing_given_is_nothing_added() -> None:
    kernel = new_kernel()
    for _ in range(3):
        kernel.request()
        kernel.draw(16)
    assert pool(kernel) == bytes(32)


@own_process
@pytest.mark.parametrize("size", [1, 15, 16, 17, 32, 1000])
def test_keys_are_the_kernel_s_and_the_pool_s(size: int) -> None:
    kernel = new_kernel()
    model = Model(kernel)
    check(kernel, model, 16)
    give(kernel, model, random.randbytes(size))
    assert pool(kernel) == model.additional.pool
    for length in (16, BATCH, 5, BULK + 7, BATCH - 5):
        check(kernel, model, length)


@own_process
def test_bytes_given_before_the_first_draw_count() -> None:
    kernel = new_kernel()
    kernel.request(b"secret")
    model = Model(kernel)
    check(kernel, model, 16)


@own_process
def test_later_bytes_add_to_earlier_ones() -> None:
    kernel = new_kernel()
    model = Model(kernel)
    pools = {pool(kernel)}
    for data in (b"first", b"second", b"first", b"first", bytes(16), bytes(17)):
        give(kernel, model, data)
        check(kernel, model, 100)
        pools.add(pool(kernel))
    assert len(pools) == 7
    assert pool(kernel) == model.additional.pool


@own_process
def test_the_same_bytes_twice_do_not_cancel() -> None:
    kernel = new_kernel()
    for _ in range(2):
        kernel.request(b"the same")
    assert pool(kernel) != bytes(32)
    assert pool(kernel) == kernel.additional.pool


@own_process
@pytest.mark.parametrize("padded", [b"a", b"a\0", b"a".ljust(16, b"\0"), b"a".ljust(17, b"\0")])
def test_padding_does_not_hide_the_length(padded: bytes) -> None:
    kernel, other = new_kernel(), new_kernel()
    kernel.request(padded)
    other.request(padded + b"\0")
    assert pool(kernel) != pool(other)


@own_process
def test_what_is_given_does_not_replace_the_kernel_s_bytes() -> None:
    """Bytes that everybody knows make nothing predictable while the kernel's are secret."""
    drawn = set()
    for seed in range(3):
        kernel = new_kernel()
        kernel.script.seed = seed
        kernel.request(b"known to all")
        drawn.add(kernel.draw(16))
    assert len(drawn) == 3


@own_process
def test_clones_that_are_given_other_bytes_diverge() -> None:
    """Copies of a process over the same kernel have other output once they got other bytes."""
    copies = [new_kernel() for _ in range(3)]
    for kernel, data in zip(copies, (b"one", b"other", b"other"), strict=True):
        kernel.draw(16)
        kernel.request(data)
    streams = [b"".join(kernel.draw(1000) for _ in range(20)) for kernel in copies]
    assert streams[1] == streams[2]  # without them nothing would differ
    assert not windows(streams[0]) & windows(streams[1])


# --- they count for good ---


@own_process
@pytest.mark.parametrize("event", ["drop", "reseed_kernel", "request"])
def test_later_reseeds_have_the_bytes_too(event: str) -> None:
    kernel = new_kernel()
    model = Model(kernel)
    give(kernel, model, b"secret")
    happen: dict[str, Callable[[], None]] = {
        "drop": kernel.drop,
        "reseed_kernel": kernel.reseed,
        "request": kernel.request,
    }
    for _ in range(3):
        check(kernel, model, 16)
        happen[event]()
        getattr(model, event)()
    check(kernel, model, 16)


@own_process
def test_a_thread_that_begins_later_has_them_too() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    kernel.request(b"secret")
    in_thread(lambda: check(kernel, Model(kernel), 100))


@own_process
def test_a_child_has_them_too_and_keeps_its_own_to_itself() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    kernel.request(b"secret")

    def child() -> bytes:
        model = Model(kernel)
        model.keyed = True
        check(kernel, model, 100)
        give(kernel, model, b"the child's own")
        check(kernel, model, 100)
        return b"right"

    assert in_child(child) == b"right"
    # What the child was given is not its parent's.
    assert pool(kernel) == kernel.additional.pool


@new_thread
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("size", [16, BATCH, BULK + 1])
def test_a_draw_in_which_they_are_given_is_done_again_with_them(
    kernel: Kernel, size: int, at: int
) -> None:
    model = Model(kernel)
    check(kernel, model, BATCH - 8)
    call = kernel.calls + at
    data = random.randbytes(20)
    model.events = {call: lambda: model.request(data)}
    with kernel.on_call(lambda number: kernel.request(data) if number == call else None):
        check(kernel, model, size)
    model.events = {}  # if the draw made too few calls for it
    check(kernel, model, size)


@own_process
def test_callers_at_the_same_time_lose_nothing() -> None:
    """All give the same bytes, so that the result does not depend on their order."""
    kernel = new_kernel()
    count, times, data = 8, 500, b"x" * 40
    barrier = meeting(count)
    reseed = kernel.lib.vgetrandom_reseed

    def give_often(_: int) -> None:
        barrier.wait()
        for _ in range(times):
            reseed(data, len(data))

    in_threads(count, give_often)
    for _ in range(count * times):
        kernel.additional.give(data)
    assert pool(kernel) == kernel.additional.pool


@own_process
def test_a_handler_may_give_in_the_middle_of_giving() -> None:
    kernel = new_kernel()
    data, interruptions = bytes(1 << 16), 0
    reseed = kernel.lib.vgetrandom_reseed

    def handle(*_: object) -> None:
        nonlocal interruptions
        interruptions += 1
        reseed(data, 16)

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    calls = 0
    while interruptions < 20:
        reseed(data, len(data))
        calls += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    kernel.draw(16)
    assert struct.unpack("<Q", pool(kernel)[:8]) != (0,)


# --- where the pool is ---


def address(kernel: Kernel) -> int:
    return int(kernel.ffi.cast("uintptr_t", kernel.lib.hook_additional_pool()))


def flags_of_the_pool(kernel: Kernel) -> frozenset[str]:
    """The flags that the kernel has for the pool's memory."""
    return mapping_of(address(kernel)).flags


@own_process
def test_the_pool_is_out_of_core_dumps_and_swap_or_a_note_says_why() -> None:
    kernel = new_kernel()
    kernel.draw(16)
    before = flags_of_the_pool(kernel)
    assert not {"dd", "lo"} & before
    kernel.request(b"secret")
    kernel.draw(16)
    refused = [note for note in kernel.notes() if "reseed()" in note and "refused" in note]
    flags = flags_of_the_pool(kernel)
    assert ("dd" in flags) != any("DONTDUMP" in note for note in refused)
    assert ("lo" in flags) != any("mlock" in note for note in refused)

    def child() -> bytes:
        kernel.draw(16)
        return " ".join(sorted(flags_of_the_pool(kernel))).encode()

    # Locks are not inherited: the child has to lock it again.
    assert in_child(child).decode().split() == sorted(flags)


@own_process
def test_the_pool_is_not_dumped_where_nothing_tells_processes_apart() -> None:
    refuse("madvise", errno.EINVAL, 2, 0xFFFFFFFF, MADV_WIPEONFORK)
    kernel = new_kernel()
    kernel.request(b"secret")
    assert "dd" in flags_of_the_pool(kernel)


@own_process
def test_a_note_says_what_is_refused_also_where_no_state_is_kept() -> None:
    refuse("madvise", errno.EINVAL)
    kernel = new_kernel()
    kernel.request(b"secret")
    kernel.draw(16)
    assert any("reseed()" in note and "DONTDUMP" in note for note in kernel.notes())
    assert "dd" not in flags_of_the_pool(kernel)


def test_the_pool_has_its_page_to_itself() -> None:
    kernel = Kernel(scripted())
    assert address(kernel) % os.sysconf("SC_PAGESIZE") == 0


@own_process
def test_errno_is_left_alone() -> None:
    kernel = new_kernel()
    kernel.ffi.errno = 77
    kernel.lib.vgetrandom_reseed(b"secret", 6)
    assert kernel.ffi.errno == 77
