# SPDX-License-Identifier: MIT
"""SystemRandom: for every argument it does what the standard library's does."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
import os
import pickle
import random
import sys
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import vgetrandom
from support.running import in_child, in_threads

OURS = vgetrandom.SystemRandom()
THEIRS = random.SystemRandom()


class Index:
    """An integer by its __index__ alone."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Int(int):
    """A subclass of int."""


class Sized:
    """A sequence by its methods alone: it is not registered as one."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return range(3)[index]


class Broken:
    """A sequence whose length cannot be had."""

    def __len__(self) -> int:
        raise ZeroDivisionError("no length")


NUMBERS: list[Any] = [
    0, 1, 2, 7, -1, -(2**63), 2**31, 2**32, 2**32 + 1, 2**53, 2**63 - 1, 2**63, 2**64, 2**64 + 1,
    2**200, True, False, 1.0, 1.5, -0.0, math.inf, math.nan, None, "1", b"1", Decimal(3),
    Fraction(5, 2), Index(3), Index(-3), Int(5), 1j, [], object,
]  # fmt: skip
SEQUENCES: list[Any] = [
    [], [1], [1, 2, 3], (), (1, 2), "", "abc", "äb", b"", b"ab", bytearray(b"abc"), range(0),
    range(9), range(10**6), range(2**70), {1: 2}, {0: "a", 1: "b"}, {1, 2}, {}, None, 5, iter([1]),
    Sized(), Broken(), memoryview(b"abc"), [[1], [2]], list(range(1000)),
]  # fmt: skip
# What may be asked for without using up the machine's memory.
SIZES = [size for size in NUMBERS if not isinstance(size, (int, float)) or abs(size) < 2**20]

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("random", (), {}),
    *(("getrandbits", (size,), {}) for size in [*SIZES, 63, 64, 65, 128, 1000, 5000, 2**70, 2**62]),
    *(("randbytes", (size,), {}) for size in [*SIZES, 255, 256, 257, 2**70, 2**62]),
    # With bounds up to 0, for which it is not defined, the standard library's does not end.
    *(
        ("_randbelow", (bound,), {})
        for bound in (1, 2, 7, 2**32, 2**64, 2**200, True, 1.5, None, "1")
    ),
    *(("randrange", (stop,), {}) for stop in NUMBERS),
    *(("randrange", pair, {}) for pair in itertools.product(NUMBERS, repeat=2)),
    *(("randrange", (0, 10, step), {}) for step in NUMBERS),
    *(("randint", pair, {}) for pair in itertools.product(NUMBERS, repeat=2)),
    *(("uniform", pair, {}) for pair in itertools.product(NUMBERS, repeat=2)),
    *((name, (seq,), {}) for name in ("choice", "shuffle", "choices") for seq in SEQUENCES),
    *(
        ("sample", (seq, k), {})
        for seq in SEQUENCES
        for k in [0, 1, 2, 9, -1, 1.0, None, True, "1"]
    ),
    *(("choices", (seq,), {"k": k}) for seq in SEQUENCES for k in [0, 1, 5, -1, 1.0, None, True]),
    ("getrandbits", (), {}),
    ("getrandbits", (), {"k": 5}),
    ("getrandbits", (1, 2), {}),
    ("randbytes", (), {"n": 5}),
    ("randbytes", (), {}),
    ("randrange", (), {}),
    ("randrange", (), {"start": 3}),
    ("randrange", (3,), {"step": 2}),
    ("randrange", (0, 10, 3, 4), {}),
    ("randrange", (10, 0, -3), {}),
    ("randint", (), {"a": 1, "b": 2}),
    ("randint", (1,), {}),
    ("uniform", (), {"a": 1, "b": 2}),
    ("choice", (), {"seq": [1]}),
    ("choice", (), {}),
    ("shuffle", ([1, 2], 3), {}),
    ("shuffle", (), {"x": [1, 2]}),
    ("sample", ([1, 2, 3],), {"k": 2}),
    ("sample", ("ab", 3), {"counts": [1, 4]}),
    ("sample", ("ab", 3), {"counts": [1]}),
    ("sample", ("ab", 9), {"counts": [1, 4]}),
    ("choices", ([1, 2], [1, 3]), {"k": 4}),
    ("choices", ([1, 2], 3), {}),
    ("choices", ([1, 2], [0, 0]), {}),
    ("choices", ([1, 2],), {"cum_weights": [1, 3], "k": 2}),
    ("choices", ([1, 2],), {"weights": [1], "k": 2}),
    ("choices", ([1, 2],), {"nonsense": 1}),
    ("triangular", (0, 1, 0.5), {}),
    ("gauss", (), {}),
    ("gauss", (0, 1), {}),
    ("gauss", ("a",), {}),
    ("normalvariate", (0, 1), {}),
    ("expovariate", (1,), {}),
    ("betavariate", (1, 2), {}),
    ("vonmisesvariate", (1, 2), {}),
    ("seed", (1,), {}),
    ("getstate", (), {}),
    ("setstate", (1,), {}),
    *((("binomialvariate", (10, 0.5), {}),) if sys.version_info >= (3, 12) else ()),
]


def outcome(
    generator: random.Random, call: tuple[str, tuple[Any, ...], dict[str, Any]]
) -> tuple[Any, Any]:
    """What can be compared of a call: the type of the result, or the exception, and warnings."""
    name, args, kwargs = call
    args = tuple(
        copy.copy(arg) if isinstance(arg, (list, bytearray, dict)) else arg for arg in args
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = getattr(generator, name)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            told: Any = type(error), str(error)
        else:
            size = len(result) if isinstance(result, (bytes, list, str)) else None
            told = type(result), size
    return told, [(warning.category, str(warning.message)) for warning in caught]


@pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy's os.urandom checks no type: its errors are accidents, and a Fraction never ends",
)
def test_the_standard_librarys_outcome_for_every_argument() -> None:
    """Type, message and warnings are those of the interpreter at hand."""
    differing = [
        (call, ours, theirs)
        for call in CALLS
        if (ours := outcome(OURS, call)) != (theirs := outcome(THEIRS, call))
    ]
    assert not differing, f"{len(differing)} of {len(CALLS)}, such as {differing[:3]}"


def test_random_takes_no_arguments() -> None:
    for generator in (OURS, THEIRS):
        with pytest.raises(TypeError):
            generator.random(1)  # type: ignore[call-arg]


def test_is_a_system_random() -> None:
    assert isinstance(OURS, random.SystemRandom)
    assert issubclass(vgetrandom.SystemRandom, random.SystemRandom)
    for refused in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(
            NotImplementedError, match=r"System entropy source does not have state\."
        ):
            refused(OURS)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="methods in C are CPython's")
def test_signatures_are_the_standard_librarys() -> None:
    for name in ("getrandbits", "randbytes", "randint", "uniform", "choice", "choices", "shuffle"):
        ours, theirs = (
            inspect.signature(getattr(owner, name))
            for owner in (vgetrandom.SystemRandom, random.SystemRandom)
        )
        assert list(ours.parameters) == list(theirs.parameters), name
        assert [p.kind for p in ours.parameters.values()][1:] == [
            p.kind for p in theirs.parameters.values()
        ][1:], name


def test_methods_can_be_called_through_the_class() -> None:
    cls = vgetrandom.SystemRandom
    assert 0 <= cls.random(OURS) < 1
    assert cls.choice(OURS, [7]) == 7
    if sys.implementation.name == "cpython":  # in Python, self may be anything
        with pytest.raises(TypeError):
            cls.random(THEIRS)  # type: ignore[arg-type]


def test_nothing_is_drawn_from_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the arguments are: what is unusual goes through the standard library's code."""

    def from_the_kernel(size: int) -> bytes:
        raise AssertionError(f"{size} bytes from os.urandom")

    monkeypatch.setattr(random, "_urandom", from_the_kernel)
    monkeypatch.setattr(os, "urandom", from_the_kernel)
    succeeded = 0
    for call in CALLS:
        told, _ = outcome(OURS, call)
        assert told[0] is not AssertionError, call
        succeeded += not issubclass(told[0], BaseException)
    assert succeeded > 500
    for generator in (OURS, type("Sub", (vgetrandom.SystemRandom,), {})()):
        assert generator.getrandbits(k=5) < 32
        assert len(generator.randbytes(n=5000)) == 5000
    with pytest.raises(AssertionError):
        THEIRS.random()


# --- forks and threads ---


def test_a_forked_child_repeats_nothing() -> None:
    def numbers() -> bytes:
        words = [OURS.getrandbits(64) for _ in range(100)]
        words += [OURS.randrange(2**62) for _ in range(100)]
        words += [int(OURS.random() * 2**53) for _ in range(100)]
        words += [hash(OURS.gauss()) % 2**64 for _ in range(101)]
        return b"".join(word.to_bytes(8, "big") for word in words)

    numbers()
    child, parent = in_child(numbers), numbers()
    pieces = [out[at : at + 8] for out in (child, parent) for at in range(0, len(out), 8)]
    assert len(set(pieces)) == len(pieces)


def test_threads_share_nothing() -> None:
    found: list[int] = []
    in_threads(4, lambda _: found.extend([OURS.getrandbits(64) for _ in range(5000)]))
    assert len(set(found)) == len(found) == 20_000


def test_a_shuffled_list_has_the_same_items() -> None:
    items = list(range(100))
    OURS.shuffle(items)
    assert sorted(items) == list(range(100))
