# SPDX-License-Identifier: MIT
"""random_bytes_into(): which buffers it fills, and which it refuses."""

from __future__ import annotations

import array
import ctypes
import mmap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


class Exporter(ctypes.Structure):
    """A structure, which is a buffer of its members' bytes."""

    _fields_ = (("numbers", ctypes.c_uint16 * 8), ("more", ctypes.c_double))


WRITABLE: dict[str, Callable[[], Any]] = {
    "bytearray": lambda: bytearray(48),
    "memoryview": lambda: memoryview(bytearray(48)),
    "slice": lambda: memoryview(bytearray(100))[10:58],
    "array of I": lambda: array.array("I", [0] * 12),
    "array of d": lambda: array.array("d", [0.0] * 6),
    "cast to two dimensions": lambda: memoryview(bytearray(48)).cast("B", (6, 8)),
    "cast to three dimensions": lambda: memoryview(bytearray(48)).cast("I", (2, 3, 2)),
    "one item": lambda: memoryview(bytearray(48))[0:1].cast("B", ()),
    "ctypes": Exporter,
    "ctypes array": ctypes.c_uint64 * 6,
    "mmap": lambda: mmap.mmap(-1, 48),
}


@pytest.mark.parametrize("make", WRITABLE.values(), ids=WRITABLE)
def test_fills_any_writable_buffer(api: Any, make: Callable[[], Any]) -> None:
    seen = set()
    for _ in range(64):
        buffer = make()
        assert api.random_bytes_into(buffer) is None
        with memoryview(buffer) as view:
            seen.add(view.tobytes())
    columns = list(zip(*seen, strict=True))
    # Every byte, also the first and the last, has had more than one value.
    assert all(len(set(column)) > 1 for column in columns)


EMPTY: dict[str, Callable[[], Any]] = {
    "bytearray": bytearray,
    "memoryview": lambda: memoryview(bytearray()),
    "array": lambda: array.array("I"),
    "a shape with a zero": lambda: memoryview(bytearray()).cast("B"),
    "empty slice with a step": lambda: memoryview(bytearray(9))[5:5],
    "ctypes": ctypes.c_uint64 * 0,
}


@pytest.mark.parametrize("make", EMPTY.values(), ids=EMPTY)
def test_an_empty_buffer_is_no_error(api: Any, make: Callable[[], Any]) -> None:
    assert api.random_bytes_into(make()) is None


REFUSED_BUFFERS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"16",
    "empty bytes": bytes,
    "read-only memoryview": lambda: memoryview(bytearray(16)).toreadonly(),
    "read-only mmap": lambda: mmap.mmap(-1, 16, prot=mmap.PROT_READ),
    "not contiguous": lambda: memoryview(bytearray(16))[::2],
    "backwards": lambda: memoryview(bytearray(16))[::-1],
    "read-only and not contiguous": lambda: memoryview(bytes(16))[::2],
    "str": lambda: "16",
    "int": lambda: 16,
    "float": lambda: 1.0,
    "None": lambda: None,
    "list": lambda: [0] * 16,
    "object": object,
    "type": lambda: bytearray,
}


@pytest.mark.parametrize("make", REFUSED_BUFFERS.values(), ids=REFUSED_BUFFERS)
def test_refuses_what_is_no_writable_contiguous_buffer(api: Any, make: Callable[[], Any]) -> None:
    buffer = make()
    with pytest.raises(TypeError, match="contiguous read-write bytes-like object"):
        api.random_bytes_into(buffer)
    if isinstance(buffer, (bytes, memoryview)):
        assert bytes(buffer).strip(b"\0") in (b"", b"16")


def test_a_closed_mmap_is_refused(api: Any) -> None:
    memory = mmap.mmap(-1, 16)
    memory.close()
    with pytest.raises(ValueError, match="closed"):
        api.random_bytes_into(memory)


def test_a_released_memoryview_is_refused(api: Any) -> None:
    view = memoryview(bytearray(16))
    view.release()
    with pytest.raises(ValueError, match="released"):
        api.random_bytes_into(view)


def test_what_is_beside_the_buffer_is_left_alone(api: Any) -> None:
    for size in (1, 7, 16, 300, 5000, 70_000):
        data = bytearray(size + 64)
        api.random_bytes_into(memoryview(data)[32 : 32 + size])
        assert data[:32] == data[-32:] == bytes(32)


def test_the_buffer_is_released_again(api: Any) -> None:
    data = bytearray(16)
    api.random_bytes_into(data)
    data.append(1)  # an exported buffer would not grow


def test_an_array_in_fortran_order_is_filled(api: Any) -> None:
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed: no Fortran order")
    if api.__name__ == "vgetrandom._core":
        pytest.skip("cffi takes no Fortran order")
    data = numpy.zeros((8, 8), dtype="u8", order="F")
    api.random_bytes_into(data)
    assert (data != 0).all()
    with pytest.raises(TypeError):
        api.random_bytes_into(numpy.zeros((8, 8), dtype="u8")[:, ::2])
