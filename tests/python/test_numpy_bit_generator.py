# SPDX-License-Identifier: MIT
"""SystemBitGenerator: NumPy takes it as a bit generator, and nothing that it draws repeats."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest

np: Any = pytest.importorskip("numpy", minversion="1.26")

import vgetrandom  # noqa: E402
from support.conditions import stateful  # noqa: E402
from support.mappings import MADV_DONTNEED, states_mappings  # noqa: E402
from support.running import in_child, in_threads, meanwhile  # noqa: E402
from vgetrandom import numpy as vnumpy  # noqa: E402
from vgetrandom.numpy import SeedSequence, SystemBitGenerator  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


def assert_fresh(*arrays: Any) -> None:
    """No two 64-bit words in all of it are the same: fewer than one run in 10^9 has two."""
    words = np.concatenate([np.asarray(array).ravel() for array in arrays])
    assert words.dtype == np.uint64
    assert len(words) < 10**5
    assert len(np.unique(words)) == len(words)


def raw(bits: Any, count: int = 1000) -> Any:
    return bits.random_raw(count)


def test_is_a_bit_generator() -> None:
    bits = SystemBitGenerator()
    assert isinstance(bits, np.random.BitGenerator)
    assert_fresh(raw(bits), raw(bits), raw(SystemBitGenerator()))
    assert bits.random_raw() != bits.random_raw()
    assert isinstance(bits.seed_seq, np.random.SeedSequence)


@pytest.mark.parametrize("way", ["ctypes", "cffi"])
def test_words_come_through_foreign_functions(way: str) -> None:
    pytest.importorskip(way)
    functions = getattr(SystemBitGenerator(), way)
    words = [functions.next_uint64(functions.state) for _ in range(100)]
    assert all(0 <= word < 1 << 64 for word in words)
    assert len(set(words)) == 100
    assert max(functions.next_uint32(functions.state) for _ in range(100)) < 1 << 32
    assert all(0 <= functions.next_double(functions.state) < 1 for _ in range(100))


SEEDS: list[Any] = [
    0,
    1,
    12345,
    [1, 2],
    (1, 2),
    b"x",
    "x",
    1.5,
    False,
    np.int64(3),
    np.random.SeedSequence(1),
    np.random.PCG64(1),
    np.random.default_rng(1),
    np.random.RandomState(1),
]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: type(seed).__name__)
@pytest.mark.parametrize("make", [SystemBitGenerator, vnumpy.default_rng])
def test_seeds_are_refused(make: Callable[[Any], object], seed: Any) -> None:
    with pytest.raises(TypeError, match=r"takes no seed: .*cannot be repeated"):
        make(seed)
    with pytest.raises(TypeError):
        make(seed=seed)  # type: ignore[call-arg]


# --- state ---


def test_its_state_is_only_a_name() -> None:
    bits = SystemBitGenerator()
    assert bits.state == {"bit_generator": "SystemBitGenerator", "state": {}}
    bits.state = bits.state
    bits.state = {"bit_generator": "SystemBitGenerator", "state": {}}
    before = raw(bits)
    bits.state = bits.state
    assert_fresh(before, raw(bits))


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (None, TypeError),
        ([], TypeError),
        (({}, None), TypeError),
        ({}, ValueError),
        ({"bit_generator": "PCG64", "state": {}}, ValueError),
        ({"bit_generator": "SystemBitGenerator"}, ValueError),
        ({"bit_generator": "SystemBitGenerator", "state": {"key": 1}}, ValueError),
        (np.random.PCG64(1).state, ValueError),
    ],
)
def test_other_states_are_refused(state: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="state must be"):
        SystemBitGenerator().state = state


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda it: pickle.loads(pickle.dumps(it)),
    "oldest pickle": lambda it: pickle.loads(pickle.dumps(it, 2)),
}
OBJECTS: dict[str, Callable[[], Any]] = {
    "bit generator": SystemBitGenerator,
    "seed sequence": SeedSequence,
    "ours": vnumpy.default_rng,
    "Generator": lambda: np.random.Generator(SystemBitGenerator()),
    "RandomState": lambda: np.random.RandomState(SystemBitGenerator()),
}


def words_of(it: Any, count: int = 500) -> Any:
    if isinstance(it, np.random.SeedSequence):
        return it.generate_state(count, np.uint64)
    if isinstance(it, np.random.BitGenerator):
        return raw(it, count)
    # Both kinds: what NumPy draws, and what is filled in bulk.
    return np.frombuffer(it.bytes(8 * count), np.uint64)


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_copies_are_fresh(make: Callable[[], Any], way: Callable[[Any], Any]) -> None:
    it = make()
    words_of(it)
    first, second = way(it), way(it)
    assert type(first) is type(it)
    assert_fresh(*(words_of(each) for each in (it, first, second, it, first)))


@pytest.mark.parametrize("make", [OBJECTS["Generator"], OBJECTS["RandomState"]])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_numpy_caches_is_not_copied(
    make: Callable[[], Any], way: Callable[[Any], Any]
) -> None:
    """RandomState makes two normal numbers at once and keeps one."""
    for _ in range(4):
        it = make()
        it.standard_normal()
        other = way(it)
        assert it.standard_normal() != other.standard_normal()


def test_a_legacy_state_has_no_number_of_the_future() -> None:
    state = np.random.RandomState(SystemBitGenerator())
    state.standard_normal()
    told = state.get_state(legacy=False)
    assert told == {"bit_generator": "SystemBitGenerator", "state": {}}
    state.set_state(told)


# --- spawning ---


@pytest.mark.parametrize("make", [SystemBitGenerator, vnumpy.default_rng])
def test_spawned_generators_share_nothing(make: Callable[[], Any]) -> None:
    it = make()
    children = it.spawn(3)
    grandchildren = children[0].spawn(2)
    assert {type(each) for each in [*children, *grandchildren]} == {type(it)}
    assert_fresh(*(words_of(each) for each in [it, *children, *grandchildren]))


def test_seed_sequences_give_other_seeds_each_time() -> None:
    seeds = SeedSequence()
    children = seeds.spawn(2)
    assert all(isinstance(child, np.random.SeedSequence) for child in children)
    assert_fresh(*(each.generate_state(100, np.uint64) for each in [seeds, *children, seeds]))
    assert seeds.generate_state(5).dtype == np.uint32
    with pytest.raises(ValueError, match="only support uint32 or uint64"):
        seeds.generate_state(5, np.int32)
    # Generators that are seeded from it differ each time.
    pcg = [np.random.PCG64(seeds) for _ in range(3)]
    assert_fresh(*(bits.random_raw(100) for bits in pcg))
    assert_fresh(*(raw(SystemBitGenerator(seed), 100) for seed in (seeds, seeds, *children)))


# --- forks, threads, drops ---


@pytest.mark.parametrize("name", ["bit generator", "ours", "Generator", "RandomState"])
def test_a_forked_child_draws_other_words(name: str) -> None:
    it = OBJECTS[name]()
    words_of(it, 33)
    children = [in_child(lambda: bytes(words_of(it))) for _ in range(3)]
    assert_fresh(words_of(it), *(np.frombuffer(child, np.uint64) for child in children))


@stateful
def test_a_drop_in_the_middle_of_an_array_shows_nowhere() -> None:
    bits = SystemBitGenerator()
    ours = vnumpy.default_rng()

    def drop() -> None:
        for mapping in states_mappings():
            mapping.advise(MADV_DONTNEED)

    before = vgetrandom.stats().reseeds["wiped"]
    words: list[Any] = []
    doubles: list[Any] = []
    deadline = time.monotonic() + 10
    with meanwhile(drop):
        # The GIL may keep the other thread waiting for a while.
        while len(words) < 4 or vgetrandom.stats().reseeds["wiped"] < before + 20:
            words += [raw(bits, 4000), np.frombuffer(ours.bytes(32_000), np.uint64)]
            doubles += [ours.random(4000), np.random.Generator(bits).random(4000)]
            words, doubles = words[-10:], doubles[-10:]
            assert time.monotonic() < deadline
    drawn = np.concatenate(doubles)
    assert_fresh(*words)
    # Two of these doubles are equal with a chance of 10^-7, more of them with far less than 10^-9.
    assert len(np.unique(drawn)) >= len(drawn) - 1
    assert (drawn == 0).sum() <= 1


def test_threads_share_one_generator() -> None:
    bits = SystemBitGenerator()
    drawn: list[Any] = []

    def draw() -> None:
        drawn.extend(raw(bits, 1000) for _ in range(10))

    in_threads(4, lambda _: draw())
    assert_fresh(*drawn)


def worker(it: Any) -> bytes:
    return bytes(words_of(it))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_share_nothing(method: str) -> None:
    its = [OBJECTS[name]() for name in ("bit generator", "ours", "Generator", "RandomState")]
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map(worker, its * 5, chunksize=1)
    assert_fresh(*(np.frombuffer(result, np.uint64) for result in results), *map(words_of, its))


# --- lifetime ---


def test_generators_keep_their_bit_generator() -> None:
    it = np.random.Generator(SystemBitGenerator())
    gc.collect()
    others = [SystemBitGenerator() for _ in range(50)]
    assert_fresh(words_of(it), *(raw(each, 100) for each in others), words_of(it))


@stateful
def test_states_are_given_back() -> None:
    def make() -> None:
        its: list[Any] = [SystemBitGenerator() for _ in range(50)]
        for it in its:
            raw(it, 10)
            it.itself = it
        del its, it
        gc.collect()

    make()
    before = states_mappings()
    for _ in range(5):
        make()
    assert states_mappings() == before
