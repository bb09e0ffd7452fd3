# SPDX-License-Identifier: MIT
"""A fork that Python does not notice repeats nothing of ours; other generators do repeat."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import signal
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from support.running import finish, read_all

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}.get(platform.machine())


def raw_clone() -> int:
    if SYS_CLONE is None:
        pytest.skip(f"the number of clone(2) on {platform.machine()} is not known here")
    return int(LIBC.syscall(SYS_CLONE, signal.SIGCHLD, 0, 0, 0, 0))


FORKS = {"clone(2)": raw_clone, "fork(3)": lambda: int(LIBC.fork())}
OURS: dict[str, Callable[[], object]] = {
    "uuid4_str": vgetrandom.uuid4_str,
    "token_hex": lambda: vgetrandom.secrets.token_hex(16),
    "SystemRandom": lambda: vgetrandom.SystemRandom().getrandbits(128),
    "reader": lambda: vgetrandom.reader().read(16).hex(),
}


def repeated(make: Callable[[], object], fork: Callable[[], int]) -> int:
    """How many of the parent's results a child made too."""
    make()
    receiver, sender = os.pipe()
    pid = fork()
    if pid == 0:
        # Whatever Python would do after a fork was not done.
        os.write(sender, " ".join(str(make()) for _ in range(200)).encode())
        os._exit(0)
    os.close(sender)
    ours = {str(make()) for _ in range(200)}
    child = read_all(receiver).decode().split()
    finish(pid)
    assert len(set(child)) == 200
    return len(ours & set(child))


@pytest.mark.parametrize("fork", FORKS)
@pytest.mark.parametrize("name", OURS)
def test_repeats_nothing(name: str, fork: str) -> None:
    assert repeated(OURS[name], FORKS[fork]) == 0


@pytest.mark.parametrize("fork", FORKS)
def test_what_does_repeat(fork: str) -> None:
    """The Mersenne Twister; and a library of UUIDs that is keyed anew by Python's hooks alone."""
    assert repeated(lambda: random.getrandbits(128), FORKS[fork]) == 200
    utils = pytest.importorskip("uuid_utils", reason="uuid-utils is not installed")
    # Known as uuid-utils#42: all of them, until that is mended.
    assert repeated(utils.uuid4, FORKS[fork]) in {0, 200}
