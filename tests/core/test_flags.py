# SPDX-License-Identifier: MIT
"""getrandom(2)'s contract: lengths and flags of vgetrandom()."""

from __future__ import annotations

import ctypes
import errno
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support import libraries, seccomp
from support.script import GETRANDOM

if TYPE_CHECKING:
    from support.script import Kernel

pytestmark = pytest.mark.new_thread

# linux/random.h; PyPy's os has none of them.
GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE = 1, 2, 4
PASSED_ON = [GRND_RANDOM, GRND_INSECURE, GRND_RANDOM | GRND_NONBLOCK, GRND_INSECURE | GRND_NONBLOCK]
REFUSED = [8, 16, 1 << 31, 0xFFFFFFFF, 8 | GRND_NONBLOCK, GRND_INSECURE | GRND_RANDOM]


@pytest.mark.parametrize("flags", PASSED_ON)
@pytest.mark.parametrize("size", [1, 16, 1000, 100_000])
def test_flags_that_the_state_cannot_serve_go_to_the_kernel(
    kernel: Kernel, size: int, flags: int
) -> None:
    kernel.draw(16)
    calls = kernel.calls
    assert kernel.draw(size, flags) == kernel.answer(calls, size)
    assert kernel.since(calls) == [(GETRANDOM, size, size)]
    assert kernel.entry(calls).flags == flags


@pytest.mark.parametrize("flags", PASSED_ON)
def test_the_kernel_s_error_for_them_is_returned(kernel: Kernel, flags: int) -> None:
    kernel.answer_with(-errno.EINVAL)
    assert kernel.fail(16, flags) == errno.EINVAL


def test_passed_to_the_kernel_even_for_nothing(kernel: Kernel) -> None:
    assert kernel.draw(0, GRND_RANDOM) == b""


@pytest.mark.parametrize("size", [16, 100_000])
def test_nonblock_goes_along_with_the_key(kernel: Kernel, size: int) -> None:
    calls = kernel.calls
    kernel.draw(size, GRND_NONBLOCK)
    asked = [kernel.entry(n).flags for n in range(calls, kernel.calls)]
    assert asked[0] == GRND_NONBLOCK
    kernel.request()
    kernel.draw(16)
    assert kernel.entry(kernel.calls - 2).flags == 0


def test_nonblock_before_the_kernel_is_ready(kernel: Kernel) -> None:
    kernel.answer_with(-errno.EAGAIN)
    assert kernel.fail(16, GRND_NONBLOCK) == errno.EAGAIN


def test_nonblock_is_served_from_the_state(kernel: Kernel) -> None:
    kernel.draw(16)
    calls = kernel.calls
    kernel.draw(16, GRND_NONBLOCK)
    assert kernel.calls == calls


@pytest.mark.parametrize("flags", REFUSED)
@pytest.mark.parametrize("size", [0, 16])
def test_unknown_flags_are_refused_without_asking_the_kernel(
    kernel: Kernel, size: int, flags: int
) -> None:
    data = bytearray(b"\xa5" * 16)
    calls = kernel.calls
    assert kernel.lib.vgetrandom(kernel.ffi.from_buffer(data), size, flags) == -1
    assert kernel.ffi.errno == errno.EINVAL
    assert data == b"\xa5" * 16
    assert kernel.calls == calls


@pytest.mark.parametrize("size", [1 << 63, (1 << 63) + 1, (1 << 64) - 1])
@pytest.mark.parametrize("flags", [0, GRND_NONBLOCK, GRND_RANDOM])
def test_a_length_that_no_result_can_express_is_refused(
    kernel: Kernel, size: int, flags: int
) -> None:
    kernel.draw(1)
    assert kernel.lib.vgetrandom(kernel.ffi.NULL, size, flags) == -1
    assert kernel.ffi.errno == errno.EINVAL


@pytest.mark.parametrize("flags", [0, GRND_NONBLOCK])
def test_a_draw_of_no_bytes_makes_no_system_call(kernel: Kernel, flags: int) -> None:
    calls = kernel.calls
    assert kernel.lib.vgetrandom(kernel.ffi.NULL, 0, flags) == 0
    kernel.draw(16)
    assert kernel.calls > calls
    calls = kernel.calls
    assert kernel.lib.vgetrandom(kernel.ffi.NULL, 0, flags) == 0
    assert kernel.calls == calls


@pytest.mark.parametrize("flags", range(16))
def test_as_the_running_kernel_answers(flags: int) -> None:
    """The shipped library accepts and refuses what getrandom(2) does."""
    vgetrandom.random_bytes(1)
    ffi, lib = libraries.shipped()
    data = ffi.new("uint8_t[]", 32)
    got = lib.vgetrandom(data, 32, flags)
    error = ffi.errno
    # Not libc's function, whose vDSO takes flags that the system call refuses. PyPy has no
    # os.getrandom.
    kernel = ctypes.CDLL(None, use_errno=True).syscall
    number, size = map(ctypes.c_long, (seccomp.numbers()["getrandom"], 32))
    assert got == kernel(number, ctypes.create_string_buffer(32), size, ctypes.c_long(flags))
    assert got >= 0 or error == ctypes.get_errno()
    assert any(bytes(ffi.buffer(data))) == (got > 0)
