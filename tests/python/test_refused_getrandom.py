# SPDX-License-Identifier: MIT
"""A kernel that refuses getrandom(2): the error is raised, and a buffer has nothing of the draw."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

import pytest

import vgetrandom
from support.conditions import own_process, stateful
from support.seccomp import refuse

SIZES = [16, 5000, 100_000]
LARGE = 256 << 20


def refuse_getrandom(error: int = errno.EPERM) -> None:
    """Have the kernel refuse it to this process from now on."""
    try:
        refuse("getrandom", error)
    except OSError as refused:
        pytest.skip(f"seccomp filters are refused here: {refused}")


def refuse_what_the_next_draw_needs(error: int = errno.EPERM) -> None:
    refuse_getrandom(error)
    vgetrandom.reseed()


@own_process
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, errno.EAGAIN])
@pytest.mark.parametrize("size", SIZES)
def test_random_bytes_raises_the_error(api: Any, size: int, error: int) -> None:
    vgetrandom.random_bytes(16)
    refuse_what_the_next_draw_needs(error)
    with pytest.raises(OSError, match=os.strerror(error)) as raised:
        api.random_bytes(size)
    assert raised.value.errno == error


@own_process
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, errno.EAGAIN])
@pytest.mark.parametrize("size", SIZES)
def test_random_bytes_into_raises_it_and_leaves_zeros(api: Any, size: int, error: int) -> None:
    buffer = bytearray(b"\xa5" * size)
    vgetrandom.random_bytes(16)
    refuse_what_the_next_draw_needs(error)
    with pytest.raises(OSError, match=os.strerror(error)) as raised:
        api.random_bytes_into(buffer)
    assert raised.value.errno == error
    assert buffer == bytes(size)


@stateful
@own_process
def test_what_is_in_the_batch_needs_no_kernel(api: Any) -> None:
    api.random_bytes(16)
    refuse_getrandom()
    assert len(api.random_bytes(16)) == 16


@own_process
def test_refused_in_the_middle_of_a_large_draw_nothing_of_it_is_left(api: Any) -> None:
    """A handler that runs between two chunks makes the kernel refuse what the rest needs."""
    buffer = bytearray(LARGE)
    vgetrandom.random_bytes(16)
    signal.signal(signal.SIGALRM, lambda *_: refuse_what_the_next_draw_needs())
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    raised = None
    try:
        api.random_bytes_into(buffer)
    except OSError as error:
        raised = error.errno
    if raised is None:
        pytest.skip("the timer's signal came after the draw")
    assert raised == errno.EPERM
    assert not any(buffer[at] for at in range(0, LARGE, 4097))
