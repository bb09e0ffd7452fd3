# SPDX-License-Identifier: MIT
"""random_bytes_into() and what holds Python objects: random pointers to them would crash."""

from __future__ import annotations

import ctypes
import gc
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def fill(api: Any) -> Any:
    return api.random_bytes_into


class Holder(ctypes.Structure):
    _fields_ = (("number", ctypes.c_int), ("it", ctypes.py_object))


class Outer(ctypes.Structure):
    _fields_ = (("numbers", ctypes.c_int * 3), ("holders", Holder * 2))


class Named(ctypes.Structure):
    _fields_ = (("O", ctypes.c_int), ("OO", ctypes.c_double))


@pytest.mark.parametrize("kind", [ctypes.py_object * 3, Holder, Outer, Holder * 2])
def test_refuses_ctypes_with_objects(fill: Callable[[Any], None], kind: Callable[[], Any]) -> None:
    it = kind()
    with pytest.raises(TypeError, match="random_bytes_into"):
        fill(it)
    assert bytes(it) == bytes(ctypes.sizeof(it))


def test_fields_may_have_any_name(fill: Callable[[Any], None]) -> None:
    it = (Named * 4)()
    fill(it)
    assert any(bytes(it))


OBJECTS: list[Any] = [
    "O",
    [("x", "i4"), ("it", "O")],
    [("x", [("y", "O", (2,))])],
    [("time", "M8[s]"), ("it", "O")],
    [("it", "O"), ("time", "M8[s]")],
]


@pytest.mark.parametrize("dtype", OBJECTS, ids=str)
def test_refuses_arrays_of_objects(fill: Callable[[Any], None], dtype: Any) -> None:
    numpy = pytest.importorskip("numpy")
    it = numpy.zeros((2, 2), dtype)
    before = it.tobytes()
    with pytest.raises(TypeError, match="random_bytes_into"):
        fill(it)
    assert it.tobytes() == before
    gc.collect()


# What NumPy has no format for; and what has an O that is none.
OTHERS: list[Any] = [
    "M8[s]",
    "m8[ns]",
    [("time", "M8[s]"), ("O", "i4")],
    [("O", "i4"), ("xOx", "f8")],
    [("x", [("O", "i4", (2,))])],
    "U3",
    "V5",
    "c16",
    "?",
]


@pytest.mark.parametrize("dtype", OTHERS, ids=str)
def test_fills_arrays_of_anything_else(fill: Callable[[Any], None], dtype: Any) -> None:
    numpy = pytest.importorskip("numpy")
    it = numpy.zeros(24, dtype)
    fill(it)
    assert len(set(it.tobytes())) > 8


@pytest.mark.parametrize("dtype", ["M8[s]", "f8"])
def test_strided_and_read_only_arrays_have_the_same_error(
    fill: Callable[[Any], None], dtype: str
) -> None:
    numpy = pytest.importorskip("numpy")
    read_only = numpy.zeros(6, dtype)
    read_only.flags.writeable = False
    for it in (numpy.zeros(6, dtype)[::2], numpy.zeros((4, 4), dtype)[:, :2], read_only):
        with pytest.raises(TypeError, match="contiguous read-write bytes-like object"):
            fill(it)
        assert not any(it.tobytes())
