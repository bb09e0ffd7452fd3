# SPDX-License-Identifier: MIT
"""default_rng(): NumPy's Generator in all that it does, with arrays filled in bulk."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

np: Any = pytest.importorskip("numpy", minversion="1.26")

from support.running import Fork, in_child  # noqa: E402
from vgetrandom import numpy as vnumpy  # noqa: E402
from vgetrandom.numpy import Generator, SystemBitGenerator, default_rng  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = default_rng()
INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"]


def test_default_rng_is_a_generator_over_a_system_bit_generator() -> None:
    assert isinstance(RNG, np.random.Generator)
    assert isinstance(RNG.bit_generator, SystemBitGenerator)
    assert default_rng(RNG) is RNG
    bits = SystemBitGenerator()
    assert default_rng(bits).bit_generator is bits
    assert default_rng(vnumpy.SeedSequence()).random() != default_rng().random()
    assert np.random.default_rng(bits).bit_generator is bits
    with pytest.raises(TypeError, match="SystemBitGenerator is wanted, not PCG64"):
        Generator(np.random.PCG64())


def test_numpy_is_not_loaded_before_it_is_asked_for() -> None:
    script = "import sys, vgetrandom; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60)


# --- as NumPy's: the same types, shapes and errors ---

OUT: list[Any] = [
    np.empty(5),
    np.empty((2, 3)),
    np.empty(5, "f4"),
    np.empty(5, "i8"),
    np.empty(5, ">f8"),
    np.empty(10)[::2],
    np.empty((3, 2), order="F"),
    np.empty(0),
    np.empty(()),
    [0.0] * 5,
    "out",
]
read_only = np.empty(5)
read_only.flags.writeable = False
unaligned = np.frombuffer(bytearray(41), np.uint8)[1:].view(np.float64)

RANDOM: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    *(((size,), {}) for size in [0, 1, 7, (), (2,), (2, 3), (0, 3), [2, 3], np.int64(4), True]),
    *(((size,), {}) for size in [-1, (2, -1), 2.0, "2", (2.0,), 1 << 62, None]),
    *(((3, dtype), {}) for dtype in ["f8", "f4", "d", float, np.float32, np.dtype("f8")]),
    *(((3, dtype), {}) for dtype in ["f2", "i8", ">f8", "nonsense", int, object, None]),
    *(((None, dtype), {}) for dtype in ["f8", "f4", np.float32, float, "f2"]),
    *(((), {"out": out}) for out in [*OUT, read_only, unaligned]),
    *(((5,), {"out": out}) for out in OUT),
    ((5,), {"out": np.empty(5, "f4"), "dtype": "f4"}),
    (((5,),), {"out": np.empty(5)}),
    (((2, 3),), {"out": np.empty((2, 3))}),
    ((6,), {"out": np.empty((2, 3))}),
    ((1, 2, 3, 4), {}),
    ((), {"nonsense": 1}),
]

BYTES: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    *(((length,), {}) for length in [0, 1, 3, 4, 1000, np.int64(5), True]),
    *(((length,), {}) for length in [-1, 2.0, "2", None, 1 << 70]),
    ((), {"length": 5}),
    ((), {}),
]

BOUNDS = [0, 1, -1, 2, 10, 127, 128, 255, 256, -128, -129, 1 << 31, 1 << 32, (1 << 63) - 1]
BOUNDS += [1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 31), -(1 << 63), -(1 << 63) - 1]
SOME: list[Any] = [1.0, 2.5, np.int64(7), True, "7", None, [3, 4], np.array([5, 6])]


def outcome(rng: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Type, dtype, shape and flags of what comes back, or the type of error and its text."""
    try:
        result = getattr(rng, method)(*args, **kwargs)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)
    if isinstance(result, np.ndarray):
        return (
            type(result),
            result.dtype,
            result.shape,
            result.flags.c_contiguous,
            result is kwargs.get("out"),
        )
    return type(result), len(result) if isinstance(result, bytes) else None


PCG = np.random.default_rng()


@pytest.mark.parametrize(
    ("method", "args", "kwargs"),
    [("random", *each) for each in RANDOM] + [("bytes", *each) for each in BYTES],
    ids=lambda value: repr(value)[:40],
)
def test_does_as_numpy_does(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    ours, theirs = (outcome(rng, method, args, kwargs) for rng in (RNG, PCG))
    if isinstance(theirs[1], str) and "argument" in theirs[1]:
        # Cython and Python word errors about the number and the names of arguments differently.
        ours, theirs = ours[0], theirs[0]
    assert ours == theirs


@pytest.mark.parametrize("dtype", [*INTEGERS, int, bool, "f8", ">i4", "nonsense", object])
@pytest.mark.parametrize("size", [None, 3, (2, 2)])
@pytest.mark.parametrize("endpoint", [False, True])
def test_integers_do_as_numpys(dtype: Any, size: Any, endpoint: bool) -> None:
    pairs = [(low, high) for low in BOUNDS for high in [None, *BOUNDS]]
    pairs += [(low, 100) for low in SOME] + [(0, high) for high in SOME]
    for low, high in pairs:
        kwargs = {"size": size, "dtype": dtype, "endpoint": endpoint}
        ours, theirs = (outcome(rng, "integers", (low, high), kwargs) for rng in (RNG, PCG))
        assert ours == theirs, (low, high)


@pytest.mark.parametrize("size", [-1, (2, -1), 2.0, "2", (2.0,), [2], np.int64(2), (), 0, 1 << 62])
def test_integers_of_any_size(size: Any) -> None:
    ours, theirs = (outcome(rng, "integers", (10,), {"size": size}) for rng in (RNG, PCG))
    assert ours == theirs


def test_everything_else_is_numpys() -> None:
    draws: list[Callable[[Any], object]] = [
        lambda rng: rng.normal(0, 2, 100).std(),
        lambda rng: rng.permutation(10).sum(),
        lambda rng: rng.choice([1, 2, 3], 4, p=[0.5, 0.25, 0.25]).size,
        lambda rng: rng.permuted(np.arange(10)),
        lambda rng: rng.binomial(10, 0.5, 3),
        lambda rng: rng.multivariate_normal([0, 0], [[1, 0], [0, 1]], 3),
        lambda rng: rng.standard_exponential(3, dtype="f4"),
    ]
    for draw in draws:
        draw(RNG)
        draw(np.random.Generator(SystemBitGenerator()))
    assert repr(RNG).startswith("Generator(SystemBitGenerator)")


# --- distributions ---
#
# Bounds that a sound generator misses less than once in 10^9 runs, for all of these together.


def kolmogorov_smirnov(sample: Any) -> float:
    """The chance of a sample of uniform numbers that lies further from uniform than this one."""
    ordered = np.sort(np.asarray(sample, "f8"))
    n = len(ordered)
    steps = np.arange(n + 1) / n
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    # The first term of Kolmogorov's series; it is an upper bound.
    return min(1.0, 2 * math.exp(-2 * n * distance**2))


def chi_squared(counts: Any) -> float:
    """The same for counts that should be equal: by Wilson and Hilferty's normal approximation."""
    expected = counts.sum() / len(counts)
    assert expected >= 20
    degrees = len(counts) - 1
    statistic = ((counts - expected) ** 2 / expected).sum()
    root = (statistic / degrees) ** (1 / 3)
    z = (root - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    return 0.5 * math.erfc(z / math.sqrt(2))


RARE = 1e-12
N = 200_000


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("word_by_word", [False, True])
def test_doubles_are_uniform(dtype: str, word_by_word: bool) -> None:
    rng = np.random.Generator(SystemBitGenerator()) if word_by_word else RNG
    sample = rng.random(N, dtype=dtype)
    assert (sample >= 0).all()
    assert (sample < 1).all()
    assert kolmogorov_smirnov(sample) > RARE
    # All the bits that there are, 53 or 24: the lowest ones are uniform too.
    bits = 53 if dtype == "f8" else 24
    whole = sample.astype("f8") * 2.0**bits
    assert (whole == np.floor(whole)).all()
    low = whole.astype(np.uint64) & 255
    assert chi_squared(np.bincount(low.astype(int), minlength=256)) > RARE
    top = np.bincount((sample * 256).astype(int), minlength=256)
    assert chi_squared(top) > RARE


def test_single_doubles_are_uniform() -> None:
    sample = np.array([RNG.random() for _ in range(20_000)])
    assert kolmogorov_smirnov(sample) > RARE
    odd = int((sample * 2.0**53).astype(np.uint64).__and__(1).sum())
    assert abs(odd - 10_000) < 600


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_uniform(dtype: str) -> None:
    info = np.iinfo(dtype) if dtype != "?" else None
    least, most = (int(info.min), int(info.max)) if info else (0, 1)
    # Just over half of all words; two thirds; all; few.
    whole = most - least + 1
    for span in {whole // 2 + 1, 2 * (whole // 3), whole, min(whole, 10)} - {0}:
        for low in {least, most - span + 1, min(max(0, least), most - span + 1)}:
            drawn = RNG.integers(low, low + span - 1, N, dtype=dtype, endpoint=True)
            values = drawn.astype(object) - low if whole > 1 << 32 else drawn.astype("i8") - low
            assert values.min() >= 0
            assert values.max() < span
            bins = min(span, 64)
            # In Python's integers, since 64-bit floats would round the bounds.
            counts = np.bincount((values * bins // span).astype("i8"), minlength=bins)
            sizes = np.diff([-(-edge * span // bins) for edge in range(bins + 1)])
            scaled = counts * (span / bins) / sizes.astype("f8")
            if span >= 64 * 200 or span <= 64:
                assert chi_squared(scaled) > RARE, (low, span)


@pytest.mark.parametrize(
    ("dtype", "bits"), [("u1", 8), ("u2", 16), ("u4", 32), ("u8", 32), ("u8", 64), ("i8", 64)]
)
def test_no_bound_is_biased(dtype: str, bits: int) -> None:
    """With a bound of three quarters of the words, a third would come twice without rejection."""
    span = 3 << (bits - 2)
    low = -(1 << 63) if dtype == "i8" else 0
    drawn = RNG.integers(low, low + span, N, dtype=dtype).astype("u8") - np.uint64(low % (1 << 64))
    assert drawn.max() < span
    assert chi_squared(np.bincount((drawn // np.uint64(1 << (bits - 2))).astype(int))) > RARE
    assert chi_squared(np.bincount((drawn % np.uint64(3)).astype(int))) > RARE


def test_shuffles_are_uniform() -> None:
    rng = default_rng()
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        order = tuple(map(int, rng.permutation(4)))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert chi_squared(np.array(list(counts.values()))) > RARE


# --- large arrays ---


def test_large_arrays_are_filled_up_to_their_ends() -> None:
    """Every part is filled, at any length around what is computed at once."""
    for length in (1, 2, 3, 1023, 8191, 8192, 8193, 16_385, 100_001):
        for dtype in ("f8", "f4"):
            array = RNG.random(length, dtype)
            assert len(np.unique(array)) > 0.99 * length
            out = np.full(length + 8, 7.0, dtype)
            RNG.random(out=out[4:-4], dtype=dtype)
            assert (out[:4] == 7).all()
            assert (out[-4:] == 7).all()
            assert (out[4:-4] < 1).all()
        for dtype in INTEGERS[2:-1]:
            array = RNG.integers(0, 32_000, length, dtype=dtype)
            assert len(np.unique(array)) > 0.3 * min(length, 32_000)
            wide = RNG.integers(0, np.iinfo(dtype).max, length, dtype=dtype, endpoint=True)
            assert length < 1000 or len(np.unique(wide[-500:])) > 400


def fill_for_ever(out: Any) -> None:
    while True:
        RNG.random(out=out)


def test_ctrl_c_ends_a_large_fill_and_leaves_nothing() -> None:
    try:
        out = np.empty(1 << 28)
    except MemoryError:
        pytest.skip("no 2 GiB to be had")
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            fill_for_ever(out[: 1 << 22])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - start < 10
    assert not out[: 1 << 21].any() or (out[: 1 << 21] != 0).all()


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_ctrl_c_takes_no_memory_for_what_was_not_filled_yet() -> None:
    try:
        out = np.empty(1 << 28)
    except MemoryError:
        pytest.skip("no 2 GiB to be had")
    before = resident_bytes()
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            RNG.random(out=out)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert resident_bytes() - before < out.nbytes // 2


def test_where_a_handler_forks_in_an_array_parent_and_child_share_nothing() -> None:
    """Python's handlers run between two chunks."""

    def forked() -> bytes:
        fork = Fork()
        signal.signal(signal.SIGALRM, fork)
        out = np.empty(12 << 20)  # 96 MiB
        deadline = time.monotonic() + 20
        while not fork.happened and time.monotonic() < deadline:
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            RNG.random(out=out)
        sample: bytes = out[:: 1 << 12].tobytes()
        theirs = fork.tell(sample)
        assert len(theirs) == len(sample)
        return theirs + sample

    both = np.frombuffer(in_child(forked))
    assert len(both) == 2 * (12 << 8)
    assert len(np.unique(both)) >= len(both) - 1
