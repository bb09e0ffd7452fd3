# SPDX-License-Identifier: MIT
"""patch: vgetrandom behind the standard library."""

from __future__ import annotations

import os
import random
import secrets
import sys
import types
import uuid
from secrets import choice, randbelow, token_bytes, token_hex
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import uuid4

import pytest

import vgetrandom
from support.running import in_child, in_threads
from support.windows import assert_unrelated
from vgetrandom import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Before anything is installed.
SYSTEM = random.SystemRandom()
BOUND = SYSTEM.randrange
URANDOM = os.urandom
NAMES = [
    ("os", "urandom"), ("random", "_urandom"), ("random", "SystemRandom"), ("secrets", "_sysrand"),
    ("secrets", "SystemRandom"), ("secrets", "choice"), ("secrets", "randbits"), ("uuid", "uuid4"),
]  # fmt: skip

CALLS: dict[str, Callable[[], object]] = {
    "os.urandom": lambda: os.urandom(16),
    "secrets.token_bytes": lambda: secrets.token_bytes(16),
    "token_bytes, imported before": lambda: token_bytes(16),
    "token_hex, imported before": lambda: token_hex(16),
    "randbelow, imported before": lambda: randbelow(2**64),
    "secrets.choice": lambda: secrets.choice(range(2**62)),
    "choice, imported before": lambda: choice(range(2**62)),
    "random.SystemRandom()": lambda: random.SystemRandom().random(),
    "an instance made before": SYSTEM.random,
    "a bound method": lambda: BOUND(2**62),
    "uuid.uuid4": lambda: uuid.uuid4().int,
    "uuid4, imported before": uuid4,
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the standard library as it was."""
    before = {name: getattr(sys.modules[name[0]], name[1]) for name in NAMES}
    yield
    patch.uninstall()
    after = {name: getattr(sys.modules[name[0]], name[1]) for name in NAMES}
    assert before == after


def kernel_calls(work: Callable[[], object]) -> int:
    """How often the original os.urandom is called."""
    calls = 0

    def counting(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return URANDOM(size)

    with (
        mock.patch.object(random, "_urandom", counting),
        mock.patch.object(os, "urandom", counting),
    ):
        work()
    return calls


@pytest.mark.parametrize("name", CALLS)
def test_each_call_draws_from_vgetrandom(name: str) -> None:
    call = CALLS[name]
    assert kernel_calls(call) > 0
    with patch.installed():
        before = vgetrandom.stats().refills
        for _ in range(1000):
            call()
        # 1,000 draws of at least 7 bytes take two refills or more.
        assert vgetrandom.stats().refills > before
    assert kernel_calls(call) > 0


def test_installs_and_uninstalls_any_number_of_times() -> None:
    assert not patch.is_installed()
    patch.uninstall()
    for _ in range(3):
        patch.install()
        assert patch.is_installed()
        assert os.urandom is vgetrandom.random_bytes
    patch.uninstall()
    assert not patch.is_installed()
    assert os.urandom is URANDOM


def test_context_managers_within_each_other() -> None:
    with patch.installed():
        with patch.installed():
            assert patch.is_installed()
        assert patch.is_installed()
    assert not patch.is_installed()
    patch.install()
    with patch.installed():
        pass
    assert patch.is_installed()
    patch.uninstall()
    with pytest.raises(KeyError), patch.installed():
        raise KeyError
    assert not patch.is_installed()


def test_restores_only_what_is_still_ours() -> None:
    patch.install()
    try:
        os.urandom = theirs = bytes
        patch.uninstall()
        assert os.urandom is theirs
    finally:
        os.urandom = URANDOM


def test_says_which_modules_hold_the_old_name() -> None:
    holder = types.ModuleType("holder_of_urandom")
    vars(holder)["urandom"] = URANDOM
    vars(holder)["token_hex"] = token_hex
    sys.modules[holder.__name__] = holder
    try:
        assert "holder_of_urandom.urandom" in patch.install()
        assert not [name for name in patch.install() if name.endswith("token_hex")]
    finally:
        del sys.modules[holder.__name__]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("os.urandom", lambda: uuid.uuid4().bytes),
        ("os.urandom", lambda: os.urandom(16)),
        ("secrets.token_bytes", lambda: secrets.token_hex(16)),
        ("secrets.token_bytes", lambda: secrets.token_bytes(16)),
        ("random._urandom", lambda: SYSTEM.randbytes(16)),
    ],
)
def test_tests_that_mock_a_name_keep_working(name: str, call: Callable[[], Any]) -> None:
    with mock.patch(name, lambda size: b"\7" * size):
        expected = call()
        with mock.patch(name, lambda size: b"\7" * size):
            assert call() == expected
    patch.install()
    with mock.patch(name, lambda size: b"\7" * size):
        assert call() == expected
    assert call() != expected


def test_names_that_are_mocked_themselves() -> None:
    patch.install()
    for name in ("uuid.uuid4", "secrets.choice", "secrets.token_hex", "random.SystemRandom"):
        with mock.patch(name, return_value=7):
            module, attribute = name.split(".")
            assert getattr(sys.modules[module], attribute)() == 7
        patch.uninstall()
        patch.install()


def test_threads_that_install_at_once() -> None:
    for _ in range(20):
        in_threads(8, lambda _: patch.install())
        patch.uninstall()
        assert os.urandom is URANDOM
        assert random.SystemRandom is type(SYSTEM)


def test_a_forked_child_draws_its_own() -> None:
    patch.install()
    os.urandom(16)
    assert_unrelated(in_child(lambda: os.urandom(5000)), os.urandom(5000))
    assert in_child(lambda: bytes([patch.is_installed()])) == b"\1"


def test_the_library_does_not_draw_from_itself() -> None:
    """Unusual arguments go to the standard library, which is patched."""
    patch.install()
    generator = random.SystemRandom()
    assert generator.randrange(0, 10, 3) in range(0, 10, 3)
    assert len(secrets.token_bytes(5000)) == 5000
    assert generator.getrandbits(0) == 0
    with pytest.raises(ValueError, match="non-negative"):
        secrets.randbits(-1)
