# SPDX-License-Identifier: MIT
"""SystemRandom: the standard library's behaviour, and numbers that are as they should be."""

from __future__ import annotations

import copy
import inspect
import itertools
import math
import os
import pickle
import random
import statistics
import sys
import threading
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.running import in_child
from support.statistics import chi_squared, kolmogorov_smirnov, uniformly

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """A sequence that is not registered as one."""

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
# How much may be asked for without taking the machine's memory.
SIZES = [size for size in NUMBERS if not isinstance(size, (int, float)) or abs(size) < 2**20]

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("random", (), {}),
    *(("getrandbits", (size,), {}) for size in [*SIZES, 63, 64, 65, 128, 1000, 5000, 2**70, 2**62]),
    *(("randbytes", (size,), {}) for size in [*SIZES, 255, 256, 257, 2**70, 2**62]),
    # Defined for bounds above 0; with others the standard library's does not end.
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


# ---- subclasses ----

DERIVED: list[tuple[str, Callable[[random.Random], object]]] = [
    ("randrange", lambda r: r.randrange(10)),
    ("randint", lambda r: r.randint(1, 10)),
    ("choice", lambda r: r.choice("abcdefghij")),
    ("choices", lambda r: r.choices(range(10), k=3)),
    ("shuffle", lambda r: permuted(r.shuffle, 10)),
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
    "random and getrandbits": {
        "random": lambda _: 0.5,
        "getrandbits": lambda *_: 0,
    },
    "randbytes": {"randbytes": lambda _, n: b"x" * n},
    "nothing": {},
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_what_a_subclass_overrides_is_obeyed(override: str) -> None:
    body = OVERRIDES[override]
    ours = type("Sub", (vgetrandom.SystemRandom,), dict(body))()
    theirs = type("Sub", (random.SystemRandom,), dict(body))()
    deterministic = {
        "random": [
            "choices",
            "uniform",
            "below",
            "randrange",
            "randint",
            "choice",
            "shuffle",
            "long",
        ],
        "getrandbits": ["below", "long", "randrange", "randint", "choice", "shuffle"],
        "_randbelow": ["randrange", "randint", "choice", "shuffle", "below", "long"],
        "random and getrandbits": ["choices", "uniform", "below", "randrange", "choice", "shuffle"],
    }.get(override, [])
    for name, call in DERIVED:
        if name.startswith("sample") and override not in ("nothing", "randbytes"):
            continue  # a number that is always the same would never be a sample
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, expected = call(ours), call(theirs)
        assert type(got) is type(expected)
        if name in deterministic:
            assert got == expected, name


def test_super_obeys_too() -> None:
    class Sub(vgetrandom.SystemRandom):
        def _randbelow(self, n: int) -> int:
            return n - 1

        def randrange(self, *args: Any) -> int:
            return super().randrange(*args)

    assert {Sub().randrange(10) for _ in range(20)} == {9}
    assert {Sub().choice("abc") for _ in range(20)} == {"c"}


# ---- distributions ----

MANY = 60_000


def permuted(shuffle: Callable[[list[int]], object], size: int) -> tuple[int, ...]:
    items = list(range(size))
    shuffle(items)
    return tuple(items)


def sattolo(items: list[int]) -> None:
    """Shuffle with the bound off by one: no item stays where it is."""
    for i in range(len(items) - 1, 0, -1):
        j = OURS.randrange(i)
        items[i], items[j] = items[j], items[i]


def thirds(below: Callable[[int], int], bits: int) -> list[int]:
    """Tell into which third of [0, 3 * 2**bits) each number falls: modulo favours the first."""
    return [below(3 << bits) >> bits for _ in range(MANY)]


def modulo(bits: int) -> Callable[[int], int]:
    """Make a bounded integer with the bias that a remainder has."""
    return lambda bound: OURS.getrandbits(bits) % bound


@pytest.mark.parametrize("bits", [0, 2, 30, 31, 62, 64, 100])
def test_bounded_integers_are_unbiased(bits: int) -> None:
    for below in (OURS.randrange, lambda n: OURS.randint(0, n - 1)):
        assert chi_squared(thirds(below, bits), uniformly(range(3))) < 1


@pytest.mark.parametrize("bits", [32, 64])
def test_modulo_bias_is_found(bits: int) -> None:
    assert chi_squared(thirds(modulo(bits), bits - 2), uniformly(range(3))) > 1


def test_every_small_bound() -> None:
    for bound in (2, 3, 5, 6, 7, 10, 100):
        seen = [OURS.randrange(bound) for _ in range(MANY)]
        assert chi_squared(seen, uniformly(range(bound))) < 1
        seen = [OURS.choice(range(bound)) for _ in range(MANY)]
        assert chi_squared(seen, uniformly(range(bound))) < 1
    seen = OURS.choices(range(7), k=MANY)
    assert chi_squared(seen, uniformly(range(7))) < 1


def test_shuffles_are_all_equally_likely() -> None:
    every = uniformly(list(itertools.permutations(range(4))))
    assert chi_squared([permuted(OURS.shuffle, 4) for _ in range(MANY)], every) < 1


def test_a_shuffle_off_by_one_is_found() -> None:
    every = uniformly(list(itertools.permutations(range(4))))
    assert chi_squared([permuted(sattolo, 4) for _ in range(MANY)], every) > 1


@pytest.mark.parametrize(("size", "k"), [(5, 2), (5, 5), (1, 1), (600, 1)])
def test_samples_are_all_equally_likely(size: int, k: int) -> None:
    every = list(itertools.permutations(range(size), k))
    seen = [tuple(OURS.sample(range(size), k)) for _ in range(MANY)]
    if len(every) > 1:
        assert chi_squared(seen, uniformly(every)) < 1
    assert set(seen) <= set(every)


@pytest.mark.parametrize("size", [512, 513, 10**6])
def test_samples_have_no_item_twice(size: int) -> None:
    for k in (0, 1, 31, 32, 33, 100):
        for _ in range(50):
            sample = OURS.sample(range(size), k)
            assert len(sample) == len(set(sample)) == k
            assert all(0 <= item < size for item in sample)


def test_doubles_are_uniform_and_have_53_bits() -> None:
    seen = [OURS.random() for _ in range(MANY)]
    assert kolmogorov_smirnov(seen, lambda x: x) < 1
    last_bits = [int(x * 2**53) & 1 for x in seen]
    assert chi_squared(last_bits, uniformly((0, 1))) < 1
    assert all((x * 2**53).is_integer() and 0 <= x < 1 for x in seen)


def test_a_double_of_52_bits_is_found() -> None:
    seen = [OURS.getrandbits(52) / 2**52 for _ in range(MANY)]
    assert chi_squared([int(x * 2**53) & 1 for x in seen], uniformly((0, 1))) > 1


def test_bits_are_all_as_often_one_as_zero() -> None:
    for k in (1, 7, 64, 65, 128, 1025):
        words = [OURS.getrandbits(k) for _ in range(5000)]
        assert max(words).bit_length() == k
        for bit in {0, k // 2, k - 1}:
            assert chi_squared([word >> bit & 1 for word in words], uniformly((0, 1))) < 1


def test_gauss_is_normal_and_keeps_nothing() -> None:
    normal = statistics.NormalDist(1, 2)
    generator = vgetrandom.SystemRandom()
    assert kolmogorov_smirnov([generator.gauss(1, 2) for _ in range(MANY)], normal.cdf) < 1
    assert generator.gauss_next is None  # type: ignore[attr-defined]


def test_uniform_stays_within_its_bounds() -> None:
    seen = [OURS.uniform(-2, 6.0) for _ in range(MANY)]
    assert kolmogorov_smirnov(seen, lambda x: (x + 2) / 8) < 1


# ---- forks and threads ----


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
    threads = [
        threading.Thread(target=lambda: found.extend([OURS.getrandbits(64) for _ in range(5000)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 20_000


def test_a_list_that_shrinks_while_it_is_shuffled_loses_nothing() -> None:
    """Only where there is no GIL; with one, nothing comes in between."""
    items = list(range(100))
    OURS.shuffle(items)
    assert sorted(items) == list(range(100))


# ---- where it draws from ----


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
