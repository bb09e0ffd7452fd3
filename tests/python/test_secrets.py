# SPDX-License-Identifier: MIT
"""vgetrandom.secrets: the standard module's names, signatures and errors, and token_string."""

from __future__ import annotations

import base64
import inspect
import resource
import secrets as standard
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.conditions import own_process
from support.running import in_child
from support.statistics import chi_squared, uniformly
from vgetrandom import SystemRandom, secrets

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES: list[Any] = [
    0, 1, 2, 31, 32, 33, 255, 256, 257, 5000, -1, True, False, None, 1.0, "1", b"1", Decimal(2), [],
    2**70, 2**62,
]  # fmt: skip
SEQUENCES: list[Any] = ["abc", [], {}, {1}, range(2**70), {0: 1}]
FUNCTIONS = ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice")
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (value,), {}) for name in FUNCTIONS for value in VALUES),
    *((name, (), {}) for name in FUNCTIONS),
    *((name, (1, 2), {}) for name in FUNCTIONS),
    *((name, (), {"nbytes": 5}) for name in FUNCTIONS),
    *(("choice", (seq,), {}) for seq in SEQUENCES),
    ("randbelow", (2**64,), {}),
    ("randbelow", (2**200,), {}),
    ("randbelow", (), {"exclusive_upper_bound": 5}),
    ("randbits", (), {"k": 5}),
]


def outcome(module: Any, call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> object:
    name, args, kwargs = call
    try:
        result = getattr(module, name)(*args, **kwargs)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)
    return type(result), len(result) if isinstance(result, (bytes, str)) else None


@pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy's os.urandom checks no type: its errors are accidents, and a Fraction never ends",
)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_the_standard_librarys_outcome(call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> None:
    assert outcome(secrets, call) == outcome(standard, call)


def test_every_name_and_signature() -> None:
    assert set(standard.__all__) <= set(secrets.__all__)
    for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice"):
        ours, theirs = (inspect.signature(getattr(m, name)) for m in (secrets, standard))
        assert list(ours.parameters) == list(theirs.parameters), name
    assert secrets.compare_digest is standard.compare_digest


def test_tokens_are_what_they_say() -> None:
    for size in (0, 1, 2, 3, 4, 5, 16, 31, 32, 255, 256, 257, 1000):
        assert len(bytes.fromhex(secrets.token_hex(size))) == size
        text = secrets.token_urlsafe(size)
        assert "=" not in text
        assert len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) == size
        assert len(secrets.token_bytes(size)) == size


def test_every_digit_and_letter_is_as_likely() -> None:
    digits = [c for _ in range(2000) for c in secrets.token_hex(33)]
    assert chi_squared(digits, uniformly("0123456789abcdef")) < 1
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for size in (30, 300):
        seen = [c for _ in range(100_000 // size) for c in secrets.token_urlsafe(size)]
        assert chi_squared(seen, uniformly(letters)) < 1


def test_randbelow_is_unbiased_and_randbits_has_its_bits() -> None:
    seen = [secrets.randbelow(3 << 62) >> 62 for _ in range(20_000)]
    assert chi_squared(seen, uniformly(range(3))) < 1
    for k in (1, 7, 64, 65, 128):
        assert max(secrets.randbits(k) for _ in range(200)).bit_length() == k


# ---- token_string ----

ALPHABETS = [
    "a",
    "ab",
    "0123456789",
    "aä",
    "ab€",
    "a\U0001f600",
    "\ud800x",
    "x" * 300 + "yz",
    "aab",
    "\ufeffa",
]


@pytest.mark.parametrize("alphabet", ALPHABETS, ids=ascii)
def test_strings_over_any_alphabet(alphabet: str) -> None:
    for length in (0, 1, 7, 256, 257, 3000):
        text = secrets.token_string(alphabet, length)
        assert type(text) is str
        assert len(text) == length
        assert set(text) <= set(alphabet)
    seen = secrets.token_string(alphabet, 60_000)
    shares: dict[Any, float] = {c: alphabet.count(c) / len(alphabet) for c in alphabet}
    if len(shares) > 1:
        assert chi_squared(seen, shares) < 1


def test_arguments_of_token_string() -> None:
    wrong: list[tuple[Any, Any]] = [(b"ab", 3), (["a"], 3), (None, 3), (5, 3)]
    wrong += [("ab", 1.0), ("ab", "1"), ("ab", None)]
    for alphabet, length in wrong:
        with pytest.raises(TypeError):
            secrets.token_string(alphabet, length)
    with pytest.raises(ValueError, match="the alphabet is empty"):
        secrets.token_string("", 3)
    with pytest.raises(ValueError, match="length must be non-negative"):
        secrets.token_string("ab", -1)
    assert len(secrets.token_string(alphabet="ab", length=3)) == 3


# ---- sizes ----

SIZED: dict[str, Callable[[int], object]] = {
    "token_bytes": secrets.token_bytes,
    "token_hex": secrets.token_hex,
    "token_urlsafe": secrets.token_urlsafe,
    "token_string": lambda size: secrets.token_string("ab", size),
    "randbytes": SystemRandom().randbytes,
    "randbits": lambda size: secrets.randbits(8 * size),
    "getrandbits": lambda size: SystemRandom().getrandbits(8 * size),
}


@own_process
@pytest.mark.parametrize("name", SIZED)
def test_what_no_memory_can_hold_is_refused_before_anything_is_drawn(name: str) -> None:
    signal.alarm(60)  # what draws characters until there is no memory left draws for longer
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20), hard))
    before = vgetrandom.stats().refills
    for exponent in (31, 40, 47, 58):
        with pytest.raises(MemoryError):
            SIZED[name](1 << exponent)
    # Of bits these may be more than C can count.
    for exponent in (60, 61, 62):
        with pytest.raises((MemoryError, OverflowError) if "bits" in name else MemoryError):
            SIZED[name](1 << exponent)
    for size in (sys.maxsize + 1, 1 << 64, 1 << 100):
        with pytest.raises((MemoryError, OverflowError) if "bits" in name else OverflowError):
            SIZED[name](size)
    assert vgetrandom.stats().refills - before < 100


def test_a_forked_child_repeats_nothing() -> None:
    def tokens() -> bytes:
        lines = [secrets.token_hex(8) for _ in range(100)]
        lines += [secrets.token_urlsafe(12) for _ in range(100)]
        lines += [secrets.token_string("0123456789abcdefghijklmnopqrstuv", 16) for _ in range(100)]
        return "\n".join(lines).encode()

    tokens()
    child, parent = in_child(tokens).split(), tokens().split()
    assert len({*child, *parent}) == 600


def test_nothing_is_drawn_from_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_the_kernel(size: int) -> bytes:
        raise AssertionError(f"{size} bytes from os.urandom")

    monkeypatch.setattr("random._urandom", from_the_kernel)
    monkeypatch.setattr("os.urandom", from_the_kernel)
    for call in CALLS:
        told: Any = outcome(secrets, call)
        assert told[0] is not AssertionError, call
    assert len(secrets.token_bytes(nbytes=5000)) == 5000
    with pytest.raises(AssertionError):
        standard.token_bytes(5)
