# SPDX-License-Identifier: MIT
"""Leaving a time namespace, where Linux 6.11 to 6.14 have the watched word in another page.

In the initial time namespace those kernels show the word in the first page of [vvar], and reading
the second is SIGBUS; in every other one the first page has zeros there, and the second has the
word. tests/vm/ has the real kernel.
"""

from __future__ import annotations

import resource
from ctypes import CDLL, c_size_t, c_void_p

import pytest

from support.conditions import own_process, unless_set
from support.libraries import hooked
from support.running import in_child
from support.script import Kernel, new_kernel

GENERATION = 1000  # the scripted kernel's first
PLACE = 80  # its word in a page that it shares
BATCH = 4096  # more than one batch

pytestmark = [
    own_process,
    unless_set("VGETRANDOM_WATCH", "VGETRANDOM_MEMORY", "VGETRANDOM_VDSO"),
]


def show(kernel: Kernel, page: int, generation: int, at: int = PLACE) -> None:
    """Have the word in this page alone, and zeros in its place in the other one."""
    for number, pages in enumerate(kernel.script.vvar):
        pages[at] = generation if number == page else 0
        pages[at + 1] = int(number == page)


def kernel_with(readable: int) -> Kernel:
    kernel = new_kernel()
    kernel.script.vvar_pages = 2
    kernel.script.vvar_unreadable = ~readable & 0b11
    return kernel


def enter(kernel: Kernel) -> None:
    kernel.script.vvar_unreadable = 0
    show(kernel, 1, GENERATION)


def leave(kernel: Kernel) -> None:
    """As for good: whoever reads the second page from now on is killed."""
    ffi, _ = hooked()
    show(kernel, 0, GENERATION)
    second = int(ffi.cast("uintptr_t", kernel.script.vvar[1]))
    assert CDLL(None).mprotect(c_void_p(second), c_size_t(resource.getpagesize()), 0) == 0


def leave_and_go_on(kernel: Kernel) -> bytes:
    """The word is the same one: nothing has to be fetched anew, and the next reseed is seen."""
    before = kernel.stats().reseeds_generation
    leave(kernel)
    for _ in range(3):
        kernel.draw(BATCH)
    assert kernel.stats().reseeds_generation == before
    kernel.script.generation = GENERATION + 1
    kernel.script.vvar[0][PLACE] = GENERATION + 1
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before + 1
    assert kernel.watch == "vdso-generation"
    # A bare chroot has no /sys.
    assert not [note for note in kernel.notes() if "/sys/bus" not in note]
    return b"ok"


def test_a_child_that_draws_in_one_may_leave_it() -> None:
    kernel = kernel_with(readable=0b01)
    kernel.draw(16)

    def child() -> bytes:
        enter(kernel)
        kernel.draw(BATCH)
        assert kernel.watch == "vdso-generation"
        return leave_and_go_on(kernel)

    assert in_child(child) == b"ok"


def test_a_process_that_began_in_one_may_leave_it() -> None:
    kernel = kernel_with(readable=0b11)
    enter(kernel)
    kernel.draw(BATCH)
    assert kernel.watch == "vdso-generation"
    assert in_child(lambda: leave_and_go_on(kernel)) == b"ok"


def test_a_child_that_left_it_looks_for_the_word_before_it_draws() -> None:
    """As info() and prepare() do, where the word was not found so far."""
    kernel = kernel_with(readable=0b11)
    show(kernel, -1, 0)
    kernel.draw(16)
    assert kernel.watch == "none"

    def child() -> bytes:
        leave(kernel)
        kernel.script.vvar_unreadable = 0b10
        assert kernel.watch == "vdso-generation"
        return b"ok"

    assert in_child(child) == b"ok"


def test_in_one_a_reseed_of_the_kernel_is_seen() -> None:
    kernel = kernel_with(readable=0b11)
    enter(kernel)
    kernel.draw(BATCH)
    kernel.script.generation = GENERATION + 1
    show(kernel, 1, GENERATION + 1)
    before = kernel.stats().reseeds_generation
    kernel.draw(16)
    kernel.draw(16)
    assert kernel.stats().reseeds_generation == before + 1


@pytest.mark.parametrize("at", [0, PLACE], ids=["a page of its own", "a shared page"])
def test_zeros_in_the_first_page_mean_nothing_where_the_word_has_a_page_of_its_own(
    at: int,
) -> None:
    """So it is since 6.15, and there the first page's word may become anything."""
    kernel = kernel_with(readable=0b11)
    show(kernel, 0, 0)
    show(kernel, 1, GENERATION, at)
    kernel.draw(BATCH)
    assert kernel.watch == "vdso-generation"
    kernel.script.vvar[0][at] = GENERATION + 7
    for _ in range(3):
        kernel.draw(BATCH)
    assert kernel.watch == ("none" if at else "vdso-generation")
