# SPDX-License-Identifier: MIT
"""Subclasses of SystemRandom: what they override is used wherever the standard library uses it."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom

if TYPE_CHECKING:
    from collections.abc import Callable


def shuffled(generator: random.Random) -> list[int]:
    items = list(range(10))
    generator.shuffle(items)
    return items


DERIVED: list[tuple[str, Callable[[random.Random], object]]] = [
    ("randrange", lambda r: r.randrange(10)),
    ("randint", lambda r: r.randint(1, 10)),
    ("choice", lambda r: r.choice("abcdefghij")),
    ("choices", lambda r: r.choices(range(10), k=3)),
    ("shuffle", shuffled),
    ("sample", lambda r: r.sample(range(10), 3)),
    ("sample few", lambda r: r.sample(range(10**6), 3)),
    ("uniform", lambda r: r.uniform(1, 3)),
    ("gauss", lambda r: isinstance(r.gauss(), float)),
    ("below", lambda r: r._randbelow(10)),  # type: ignore[attr-defined]
    ("long", lambda r: r._randbelow(2**99)),  # type: ignore[attr-defined]
]
OVERRIDES: dict[str, dict[str, Any]] = {
    "random": {"random": lambda _: 0.75},
    "getrandbits": {"getrandbits": lambda _, k: (1 << k) // 3},
    "_randbelow": {"_randbelow": lambda _, n: n // 2},
    "random and getrandbits": {"random": lambda _: 0.5, "getrandbits": lambda *_: 0},
    "randbytes": {"randbytes": lambda _, n: b"x" * n},
    "nothing": {},
}


# What an override settles: there both must have the same result.
INTEGERS = ("below", "long", "randrange", "randint", "choice", "shuffle")
DETERMINED = {
    "random": ("choices", "uniform", *INTEGERS),
    "getrandbits": INTEGERS,
    "_randbelow": INTEGERS,
    "random and getrandbits": ("choices", "uniform", "below", "randrange", "choice", "shuffle"),
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_what_a_subclass_overrides_is_called(override: str) -> None:
    body = OVERRIDES[override]
    ours = type("Sub", (vgetrandom.SystemRandom,), dict(body))()
    theirs = type("Sub", (random.SystemRandom,), dict(body))()
    for name, call in DERIVED:
        if name.startswith("sample") and override not in ("nothing", "randbytes"):
            continue  # a number that is always the same would never be a sample
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, expected = call(ours), call(theirs)
        assert type(got) is type(expected)
        if name in DETERMINED.get(override, ()):
            assert got == expected, name


def test_what_a_subclass_overrides_is_called_by_super_too() -> None:
    class Sub(vgetrandom.SystemRandom):
        def _randbelow(self, n: int) -> int:
            return n - 1

        def randrange(self, *args: Any) -> int:
            return super().randrange(*args)

    assert {Sub().randrange(10) for _ in range(20)} == {9}
    assert {Sub().choice("abc") for _ in range(20)} == {"c"}
