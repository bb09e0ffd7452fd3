# SPDX-License-Identifier: MIT
"""random_bytes(): sizes are those that os.urandom takes, with its errors."""

from __future__ import annotations

import inspect
import os
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import vgetrandom
from support.bindings import BINDINGS


class Index:
    """An integer by its __index__ alone, which may as well be wrong."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Index({self.value!r})"

    def __index__(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Int(int):
    """A subclass of int."""


@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 17, 255, 256, 257, 4096, 8191, 8192, 100_000])
def test_the_result_is_bytes_of_that_length(api: Any, size: int) -> None:
    data = api.random_bytes(size)
    assert type(data) is bytes
    assert len(data) == size
    if size >= 15:
        assert len(set(data)) > 1
        assert data != api.random_bytes(size)


accidents = pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy's os.urandom takes no __index__, and its errors are accidents",
)


# os.urandom warns of Index(True) and Index(Int(3)), and so do we.
@accidents
@pytest.mark.filterwarnings("ignore:.*__index__.*:DeprecationWarning")
@pytest.mark.parametrize(
    "size", [True, False, Int(5), Index(5), Index(0), Index(value=True), Index(Int(3))], ids=repr
)
def test_accepts_what_urandom_accepts(api: Any, size: Any) -> None:
    assert len(api.random_bytes(size)) == len(os.urandom(size))


REFUSED: list[Any] = [
    -1,
    -(2**31),
    -sys.maxsize,
    -sys.maxsize - 1,
    -(2**63) - 1,
    -(2**70),
    2**63,
    2**64,
    2**70,
    None,
    1.0,
    float("nan"),
    1j,
    "16",
    b"16",
    [],
    (1,),
    object,
    Decimal(1),
    Fraction(1),
    Index(-1),
    Index(2**63),
    Index(-(2**70)),
    Index("1"),
    Index(None),
    Index(1.0),
    Index(ZeroDivisionError("within")),
]


@accidents
@pytest.mark.parametrize("size", REFUSED, ids=lambda size: f"{type(size).__name__}({size!r:.24})")
def test_refuses_what_urandom_refuses(api: Any, size: Any) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        os.urandom(size)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        api.random_bytes(size)
    assert caught.type is expected.type
    if expected.type is not OverflowError:
        assert str(caught.value) == str(expected.value)


@pytest.mark.parametrize("size", [sys.maxsize, sys.maxsize - 100, 2**62, 2**47])
def test_more_than_there_is_memory_for_is_an_error(api: Any, size: int) -> None:
    with pytest.raises((OverflowError, MemoryError)):
        api.random_bytes(size)


def test_every_length_up_to_four_batches(api: Any) -> None:
    batch = vgetrandom.info().batch_bytes or 1000
    for size in range(4 * batch + 1):
        data = api.random_bytes(size)
        assert len(data) == size
        # The chance that this fails for random bytes is 2^-64 per length.
        assert size < 8 or any(data[-8:])


# --- both functions take one argument, by its position ---


def test_the_public_functions_are_those_in_c_where_there_are_any() -> None:
    assert vgetrandom.random_bytes is BINDINGS[-1].random_bytes
    assert vgetrandom.random_bytes_into is BINDINGS[-1].random_bytes_into


@pytest.mark.parametrize("arguments", [(), (1, 2)])
@pytest.mark.parametrize("function", ["random_bytes", "random_bytes_into"])
def test_takes_one_argument(api: Any, function: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        getattr(api, function)(*arguments)


def test_takes_it_by_position_only(api: Any) -> None:
    with pytest.raises(TypeError):
        api.random_bytes(size=1)
    with pytest.raises(TypeError):
        api.random_bytes_into(buffer=bytearray(1))


def test_tells_its_arguments(api: Any) -> None:
    for name, parameter in (("random_bytes", "size"), ("random_bytes_into", "buffer")):
        function = getattr(api, name)
        assert list(inspect.signature(function).parameters) == [parameter]
        assert function.__doc__
