# SPDX-License-Identifier: MIT
"""NumPy's random numbers from a ChaCha20 generator: as fast as insecure ones, without a seed.

    rng = vgetrandom.numpy.default_rng()
    noise = rng.normal(0, sigma, size=1000)

`default_rng` returns a `numpy.random.Generator` that fills whole arrays at once where it can.
`SystemBitGenerator` works wherever NumPy, SciPy, Numba or Dask take a bit generator. Neither can be
seeded or rewound, so their numbers cannot be repeated. Copies and pickles are fresh generators,
independent of the original, so both can be sent to worker processes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

if sys.implementation.name != "cpython":
    raise ImportError("vgetrandom.numpy needs CPython: it fills in a struct behind NumPy's objects")

from vgetrandom import _arrays, random_bytes

__all__ = ["Generator", "SeedSequence", "SystemBitGenerator", "default_rng"]


class _Fresh:
    """Gives Dask a different fingerprint each time.

    Dask would otherwise take the fingerprint of the pickle, which is the same for all: two arrays
    of random numbers would have the same name and be computed only once.
    """

    __slots__ = ()

    def __dask_tokenize__(self) -> bytes:
        return random_bytes(16)


class SeedSequence(_Fresh, np.random.SeedSequence):
    """A seed sequence for NumPy whose words are all fresh random ones.

    It holds nothing that could be repeated: what is spawned from it, or made from a copy, is
    independent.
    """

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """Return fresh random words; see `numpy.random.SeedSequence.generate_state`.

        Args:
            n_words (int): how many.
            dtype (Any): numpy.uint32 or numpy.uint64.

        Returns:
            numpy.ndarray: the words.

        Raises:
            ValueError: another dtype.
        """
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.uint32), np.dtype(np.uint64)):
            raise ValueError("only support uint32 or uint64")
        words = np.empty(n_words, kind)
        _arrays.integers_into(words, kind.itemsize, 0, 0)
        return words

    def spawn(self, n_children: int) -> list[Any]:
        """Return new, independent seed sequences.

        Args:
            n_children (int): how many.

        Returns:
            list[SeedSequence]: new ones.
        """
        return [type(self)() for _ in range(n_children)]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a new object."""
        return type(self), ()


class _State(dict[str, Any]):
    """The only state there is: a name. Discards the next normal number, which RandomState adds.

    With it, the original and the copy would both return that number.
    """

    def __setitem__(self, key: str, value: object) -> None:
        if key not in ("has_gauss", "gauss"):
            super().__setitem__(key, value)


class SystemBitGenerator(_Fresh, np.random.BitGenerator):
    """A bit generator with a ChaCha20 state of its own, in droppable memory, keyed by the kernel.

    For `numpy.random.Generator`, `numpy.random.RandomState` and everything else that takes one. Its
    state behaves as a thread's does in `vgetrandom.random_bytes`: it is reseeded when the kernel
    reseeds, its loss is noticed when it is dropped, and it is wiped in a forked child, which gets
    other numbers. NumPy's lock (`lock`) guards it. Code that draws from several threads without the
    lock, as Numba's prange can, gets repeated numbers from this as from any bit generator.

    If the kernel's generator fails, which happens only in sandboxes, the process is aborted,
    because no number could report it.

    Args:
        seed (None): cannot be given. `spawn` passes a `SeedSequence` of this module.

    Raises:
        TypeError: a seed is given.
    """

    def __init__(self, seed: SeedSequence | None = None) -> None:
        """Make a generator; see the class."""
        if seed is not None and not isinstance(seed, SeedSequence):
            _refuse_seed(type(self).__name__)
        super().__init__(SeedSequence() if seed is None else seed)
        # Lives as long as this object, which everything that draws from it refers to.
        self._generator = _arrays.attach(self.capsule)

    @property
    def state(self) -> Mapping[str, Any]:
        """The class's name and an empty dict, because nothing can be saved. Only that can be set.

        Raises:
            TypeError: when set to something other than a dict.
            ValueError: when set to another generator's state.
        """
        return _State(bit_generator=type(self).__name__, state={})

    @state.setter
    def state(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise TypeError("state must be a dict")
        if value.get("bit_generator") != type(self).__name__ or value.get("state") != {}:
            raise ValueError(
                f"state must be for a {type(self).__name__}, which has none that could be set"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a new object. NumPy 1.26 expects these three parts."""
        return _new, (type(self),), self.state

    def __getstate__(self) -> Mapping[str, Any]:
        """Return `state`."""
        return self.state

    def __setstate__(self, state: Any) -> None:
        """Accept what `__reduce__` returned."""
        self.state = state


def _new(cls: type[SystemBitGenerator]) -> SystemBitGenerator:
    return cls()


def _refuse_seed(who: str) -> NoReturn:
    raise TypeError(
        f"{who} takes no seed: its numbers come from the operating system's entropy and cannot be "
        "repeated. For numbers that can, use numpy.random.default_rng(seed), which is not secure."
    )


_FILL: dict[Any, Callable[[Any], None]] = {
    np.dtype(np.float64): _arrays.doubles_into,
    np.dtype(np.float32): _arrays.floats_into,
}
_INTEGERS = {
    np.dtype(kind): (int(np.iinfo(kind).min), int(np.iinfo(kind).max)) for kind in "bBhHiIlLqQ"
} | {np.dtype(np.bool_): (0, 1)}
_float64 = np.float64


class Generator(_Fresh, np.random.Generator):
    """NumPy's generator on a `SystemBitGenerator`, with whole arrays filled at once.

    `random`, `integers` and `bytes` return bulk keystream where their arguments allow it;
    everything else is NumPy's own code, word by word.

    Args:
        bit_generator (SystemBitGenerator | None): None for a new one.

    Raises:
        TypeError: a bit generator of another kind.
    """

    def __init__(self, bit_generator: SystemBitGenerator | None = None) -> None:
        """Make a generator; see the class."""
        if bit_generator is None:
            bit_generator = SystemBitGenerator()
        elif not isinstance(bit_generator, SystemBitGenerator):
            raise TypeError(
                f"a SystemBitGenerator is wanted, not {type(bit_generator).__name__}: for that, "
                "use numpy.random.Generator"
            )
        super().__init__(bit_generator)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Return floats in [0, 1); see `numpy.random.Generator.random`.

        Args:
            size (int | tuple[int, ...] | None): the shape; None for one float.
            dtype (Any): numpy.float64 (53 random bits) or numpy.float32 (24).
            out (numpy.ndarray | None): an array to fill.

        Returns:
            float | numpy.ndarray: the numbers; `out` if it is given.
        """
        if size is None and out is None and dtype is _float64:
            return _arrays.double()
        kind = _dtype(dtype)
        fill = _FILL.get(kind)
        if fill is not None:
            array = _empty(size, kind) if out is None else _fillable(out, kind, size)
            if array is not None:
                fill(array)
                return array
        return super().random(size, dtype, out)

    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: Any = False,  # noqa: FBT002  # NumPy's
    ) -> Any:
        """Return uniformly distributed integers; see `numpy.random.Generator.integers`.

        Args:
            low (int): the lowest; if `high` is None, the highest, and 0 is the lowest.
            high (int | None): the highest, itself excluded unless `endpoint` is true.
            size (int | tuple[int, ...] | None): the shape; None for one integer.
            dtype (Any): of the result.
            endpoint (bool): whether the highest is included.

        Returns:
            int | numpy.ndarray: the numbers.

        Raises:
            ValueError: there is no integer between the bounds, or they do not fit the dtype.
        """
        if size is not None and type(low) is int and (high is None or type(high) is int):
            kind = _dtype(dtype)
            bounds = _INTEGERS.get(kind)
            first, last = (0, low) if high is None else (low, high)
            last -= not endpoint
            if bounds is not None and bounds[0] <= first <= last <= bounds[1]:
                array = _empty(size, kind)
                if array is not None:
                    width = kind.itemsize
                    span = (last - first + 1) % (1 << 8 * width)
                    _arrays.integers_into(array, width, first % (1 << 64), span)
                    return array
        return super().integers(low, high, size=size, dtype=dtype, endpoint=endpoint)

    def bytes(self, length: Any) -> bytes:
        """Return random bytes.

        Args:
            length (int): how many.

        Returns:
            bytes: that many.
        """
        if type(length) is int and 0 <= length <= sys.maxsize:
            return random_bytes(length)
        data: bytes = super().bytes(length)
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a new object, on a new bit generator."""
        return type(self), ()


def _dtype(dtype: Any) -> Any:
    """The dtype, or None to let NumPy say what is wrong with it."""
    try:
        return np.dtype(dtype)
    except TypeError:
        return None


def _empty(size: Any, kind: Any) -> Any:
    """A new array, or None to leave an unusual size to NumPy."""
    if type(size) is int or (type(size) is tuple and all(type(each) is int for each in size)):
        return np.empty(size, kind)
    return None


def _fillable(out: Any, kind: Any, size: Any) -> Any:
    """The caller's array, or None to leave it to NumPy."""
    fits = (
        type(out) is np.ndarray
        and out.dtype == kind
        and out.flags.carray
        and (size is None or out.shape in (size, (size,)))
    )
    return out if fits else None


def default_rng(seed: Generator | SystemBitGenerator | SeedSequence | None = None) -> Generator:
    """Return a generator of random numbers, as `numpy.random.default_rng` without a seed does.

    Args:
        seed (None): no seed can be given. A generator of this module is returned unchanged; for a
            bit generator or seed sequence of this module, a generator that uses it is made.

    Returns:
        Generator: NumPy's, with whole arrays filled at once.

    Raises:
        TypeError: a seed, or a generator of another kind, is given.
    """
    if isinstance(seed, Generator):
        return seed
    if seed is None or isinstance(seed, SystemBitGenerator):
        return Generator(seed)
    if isinstance(seed, SeedSequence):
        return Generator(SystemBitGenerator(seed))
    _refuse_seed("default_rng()")
