# SPDX-License-Identifier: MIT
"""A kernel whose getrandom fails or answers short: errno, no partial result, and life goes on."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from support.conditions import new_thread, own_process
from support.libraries import layout_of, scripted
from support.model import KEY_BYTES, Model
from support.script import GETRANDOM, GRND_NONBLOCK, VDSO, new_kernel

if TYPE_CHECKING:
    from support.script import Kernel

pytestmark = new_thread

LAYOUT = layout_of(scripted())
BATCH = LAYOUT.batch_bytes

ERRORS = [errno.EINTR, errno.EAGAIN, errno.ENOSYS, errno.EPERM]
SIZES = [1, 16, 300, BATCH, LAYOUT.bulk_bytes, 2 * LAYOUT.bulk_bytes + 100]


def code(error: int) -> str:
    return errno.errorcode[error]


def assert_works_again(kernel: Kernel, size: int) -> None:
    """The next draws succeed, and are what the protocol gives after a reseed."""
    kernel.recover()
    model = Model(kernel)
    kernel.request()
    model.request()
    fallbacks = kernel.stats().fallbacks
    for _ in range(3):
        assert kernel.draw(size) == model.draw(size)
    assert kernel.stats().fallbacks == fallbacks


@pytest.mark.parametrize("error", ERRORS, ids=code)
@pytest.mark.parametrize("size", SIZES)
def test_an_error_at_the_first_draw_is_returned(kernel: Kernel, size: int, error: int) -> None:
    kernel.answer_with(-error)
    assert kernel.fail(size) == error
    assert kernel.fail(size) == error
    assert_works_again(kernel, size)


@pytest.mark.parametrize("cause", ["drop", "reseed", "request"])
@pytest.mark.parametrize("error", ERRORS, ids=code)
@pytest.mark.parametrize("size", SIZES)
def test_an_error_at_a_reseed_is_returned(
    kernel: Kernel, size: int, error: int, cause: str
) -> None:
    kernel.draw(16)
    if cause == "request":
        kernel.request()
    else:
        getattr(kernel, cause)()
    kernel.answer_with(-error)
    assert kernel.fail(size) == error
    assert_works_again(kernel, size)


@pytest.mark.parametrize("error", [errno.EINTR, errno.EAGAIN], ids=code)
@pytest.mark.parametrize("size", SIZES)
def test_a_generator_that_is_not_ready_is_asked_once(kernel: Kernel, size: int, error: int) -> None:
    """A caller that was told so, or whose wait was interrupted, must not wait again."""
    calls = kernel.calls
    kernel.answer_with(-error)
    assert kernel.fail(size, GRND_NONBLOCK) == error
    assert kernel.since(calls) == [(GETRANDOM, KEY_BYTES, -error)]
    assert kernel.entry(calls).flags == GRND_NONBLOCK
    assert_works_again(kernel, size)


@own_process
def test_early_after_boot_a_draw_that_may_not_wait_fails_and_later_ones_succeed() -> None:
    """The vDSO is not ready either when the watched word is first looked for."""
    kernel = new_kernel()
    kernel.script.vdso_answer = errno.EAGAIN
    kernel.answer_with(-errno.EAGAIN)
    assert kernel.fail(16, GRND_NONBLOCK) == errno.EAGAIN
    assert kernel.since(0) == [
        (VDSO, KEY_BYTES, -errno.EAGAIN),
        (GETRANDOM, KEY_BYTES, -errno.EAGAIN),
    ]
    kernel.script.vdso_answer = 0
    kernel.recover()
    for _ in range(3):
        kernel.draw(BATCH)
    assert kernel.watch == "vdso-generation"


def refill_without_vdso(kernel: Kernel) -> None:
    """The next refill asks getrandom."""
    kernel.script.has_vdso = 0
    kernel.draw(BATCH - 1)
    kernel.draw(1)


@pytest.mark.parametrize("error", ERRORS, ids=code)
@pytest.mark.parametrize("size", SIZES)
def test_an_error_at_a_refill_is_returned(kernel: Kernel, size: int, error: int) -> None:
    refill_without_vdso(kernel)
    kernel.answer_with(-error)
    assert kernel.fail(size) == error
    assert_works_again(kernel, size)


@pytest.mark.parametrize("size", [300, BATCH, 2 * LAYOUT.bulk_bytes])
def test_an_error_after_part_of_a_request_is_served_leaves_nothing_of_it(
    kernel: Kernel, size: int
) -> None:
    kernel.script.has_vdso = 0
    kernel.draw(BATCH - 100)
    kernel.answer_with(-errno.EPERM)
    assert kernel.fail(size) == errno.EPERM
    assert_works_again(kernel, size)


@pytest.mark.parametrize("after", range(6))
def test_an_error_late_in_a_large_request_leaves_nothing_of_it(kernel: Kernel, after: int) -> None:
    kernel.script.has_vdso = 0
    kernel.draw(16)
    kernel.answer_with(-errno.EPERM, after=after)
    assert kernel.fail(10 * LAYOUT.bulk_bytes) == errno.EPERM
    assert_works_again(kernel, 16)


@pytest.mark.parametrize("answer", [1, KEY_BYTES - 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_short_answer_is_no_key(kernel: Kernel, size: int, answer: int) -> None:
    # The first answer would be the key; the next one, of the fallback, is complete.
    calls = kernel.calls
    kernel.answer_with(answer, times=1)
    drawn = kernel.draw(size)
    assert [got for _, _, got in kernel.since(calls)] == [answer, size]
    assert drawn == kernel.answer(calls + 1, size)
    assert kernel.stats().fallbacks > 0
    assert_works_again(kernel, size)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("answer", [1, KEY_BYTES - 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_short_answer_at_a_refill_is_no_key_either(
    kernel: Kernel, size: int, answer: int, times: int
) -> None:
    kernel.script.has_vdso = 0
    model = Model(kernel)
    assert kernel.draw(BATCH - 8) == model.draw(BATCH - 8)
    kernel.answer_with(answer, times=times)
    # After one of them the draw is done again; after two the kernel serves it, as in the model.
    assert kernel.draw(size) == model.draw(size)
    assert kernel.draw(size) == model.draw(size)


@pytest.mark.parametrize("size", [1, 16, 300, 1000])
def test_the_fallback_goes_on_after_short_answers(kernel: Kernel, size: int) -> None:
    calls = kernel.calls
    kernel.answer_with(7)
    drawn = kernel.draw(size)
    pieces = kernel.since(calls)[1:]
    assert [length for _, length, _ in pieces] == list(range(size, 0, -7))
    answers = [kernel.answer(calls + 1 + n, min(7, size - 7 * n)) for n in range(len(pieces))]
    assert drawn == b"".join(answers)


@pytest.mark.parametrize("error", ERRORS, ids=code)
def test_the_fallback_fails_in_the_middle(kernel: Kernel, error: int) -> None:
    # As in a handler that interrupted this thread's draw, which has the state.
    kernel.draw(16)
    state = kernel.lib.hook_check_out()
    kernel.answer_with(-error)
    assert kernel.fail(100) == error
    kernel.lib.hook_check_in(state)
    assert_works_again(kernel, 16)


def test_the_fallback_is_not_stopped_by_a_signal_between_its_pieces(kernel: Kernel) -> None:
    kernel.draw(16)
    state = kernel.lib.hook_check_out()
    events = {0: 10, 1: -errno.EINTR, 2: 0}
    first = kernel.calls

    def on_call(call: int) -> None:
        kernel.script.getrandom_answer = events.get(call - first + 1, 0)

    kernel.answer_with(10)
    with kernel.on_call(on_call):
        kernel.ffi.errno = errno.EXDEV
        drawn = kernel.draw(100)
        assert kernel.ffi.errno == errno.EXDEV
    assert [answer for _, _, answer in kernel.since(first)] == [10, -errno.EINTR, 90]
    assert drawn == kernel.answer(first, 10) + kernel.answer(first + 2, 90)
    kernel.lib.hook_check_in(state)


def test_a_failed_reseed_leaves_nothing_of_the_old_batch(kernel: Kernel) -> None:
    kernel.draw(16)
    old = kernel.field("batch", BATCH)[16:]
    kernel.request()
    kernel.answer_with(-errno.EPERM)
    kernel.fail(16)
    page = bytes(kernel.page())
    assert old[:16] not in page
    assert old[-16:] not in page


def test_served_from_the_batch_while_the_kernel_fails(kernel: Kernel) -> None:
    model = Model(kernel)
    assert kernel.draw(16) == model.draw(16)
    kernel.answer_with(-errno.ENOSYS)
    assert kernel.draw(BATCH - 16) == model.draw(BATCH - 16)


@pytest.mark.parametrize("cause", ["drop", "none", "failing key"])
def test_errno_is_left_alone_by_success(kernel: Kernel, cause: str) -> None:
    kernel.draw(16)
    buffer = kernel.ffi.new("uint8_t[]", 16)
    for size in (16, 16, 0):
        if cause != "none":
            kernel.drop()
        if cause == "failing key":
            kernel.answer_with(-errno.EPERM, times=1)
        kernel.ffi.errno = errno.EXDEV
        assert kernel.lib.vgetrandom(buffer, size, 0) == size
        assert kernel.ffi.errno == errno.EXDEV
