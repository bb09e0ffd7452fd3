# SPDX-License-Identifier: MIT
"""A reseed of the running kernel is noticed: every thread's next draw starts from a new key."""

from __future__ import annotations

import fcntl
import os
from ctypes import CDLL, get_errno

import pytest

import vgetrandom
from support.conditions import unless_set
from support.running import in_child, meeting, threads

INFO = vgetrandom.info()
RNDRESEEDCRNG = 0x5207
CLONE_NEWTIME = 0x80
MORE_THAN_A_BATCH = 4096

pytestmark = [
    unless_set("VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO"),
    pytest.mark.skipif(
        INFO.watch != "vdso-generation", reason=f"watch is {INFO.watch} on this kernel"
    ),
]


def reseed_kernel() -> None:
    """Have the kernel reseed, which raises its generation."""
    descriptor = os.open("/dev/urandom", os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, RNDRESEEDCRNG)
    except PermissionError as error:
        pytest.skip(f"only root may reseed the kernel (RNDRESEEDCRNG): {error}")
    finally:
        os.close(descriptor)


def reseeds() -> int:
    """How often a thread of this process started from a new key because the kernel had one."""
    return vgetrandom.stats().reseeds["generation"]


def reseeds_of_threads(count: int) -> int:
    """How many of that many threads, which have drawn, start anew after a reseed of the kernel."""
    reseed_kernel()  # skips the test while no thread waits
    barrier = meeting(count + 1)

    def draw(_: int) -> None:
        for _ in range(2):
            vgetrandom.random_bytes(16)
            barrier.wait()
            barrier.wait()

    with threads(count, draw):
        barrier.wait()
        reseed_kernel()
        before = reseeds()
        barrier.wait()
        barrier.wait()
        after = reseeds()
        barrier.wait()
    return after - before


def test_each_thread_s_next_draw_reseeds() -> None:
    # The kernel also reseeds by itself, about once a minute: then a thread may reseed twice.
    assert 16 in [reseeds_of_threads(16) for _ in range(3)]


def test_each_reseed_of_the_kernel_is_one_of_ours() -> None:
    vgetrandom.random_bytes(16)
    before = reseeds()
    outputs = set()
    for _ in range(100):
        reseed_kernel()
        outputs |= {vgetrandom.random_bytes(16), vgetrandom.random_bytes(16)}
    assert reseeds() - before >= 100
    assert len(outputs) == 200


def test_a_child_in_another_time_namespace_watches_too() -> None:
    """Some kernels (6.12) have the pages of [vvar] in another order there."""
    vgetrandom.random_bytes(16)

    def child() -> bytes:
        vgetrandom.random_bytes(MORE_THAN_A_BATCH)
        return vgetrandom.info().watch.encode()

    def parent() -> bytes:
        if CDLL(None, use_errno=True).unshare(CLONE_NEWTIME):
            return os.strerror(get_errno()).encode()
        return in_child(child)

    watch = in_child(parent).decode()
    if watch not in {"vdso-generation", "vmclock", "none"}:
        pytest.skip(f"no time namespace can be had: {watch}")
    assert watch == "vdso-generation"


def test_no_note_says_that_it_is_missing() -> None:
    missing = "the kernel's reseed generation cannot be watched here"
    assert not any(missing in note for note in INFO.notes)
