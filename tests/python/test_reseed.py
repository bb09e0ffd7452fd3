# SPDX-License-Identifier: MIT
"""reseed(additional): what it takes, what it refuses."""

from __future__ import annotations

import array
import mmap
from typing import Any

import pytest

import vgetrandom
from support.running import in_child


def closed_mmap() -> mmap.mmap:
    memory = mmap.mmap(-1, 4096)
    memory.close()
    return memory


BUFFERS = [
    b"",
    b"secret",
    bytearray(b"secret"),
    memoryview(b"secret")[1:3],
    array.array("d", [1.0, 2.0]),
    mmap.mmap(-1, 4096),
    bytes(1 << 20),
]


@pytest.mark.parametrize("additional", BUFFERS, ids=lambda buffer: type(buffer).__name__)
def test_any_contiguous_buffer_is_taken(additional: Any) -> None:
    def give() -> bytes:
        before = vgetrandom.random_bytes(16)
        vgetrandom.reseed(additional)
        vgetrandom.reseed(additional=additional)
        return str(before != vgetrandom.random_bytes(16)).encode()

    assert in_child(give) == b"True"


@pytest.mark.parametrize("additional", ["text", None, 7, [1, 2], memoryview(b"secret")[::2]])
def test_other_objects_are_a_type_error(additional: Any) -> None:
    with pytest.raises(TypeError, match=f"bytes-like object, not {type(additional).__name__}"):
        vgetrandom.reseed(additional)


def test_an_array_that_is_not_contiguous_is_refused() -> None:
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed")
    vgetrandom.reseed(numpy.zeros((4, 4)))
    for array_of_two in (numpy.zeros((4, 4))[:, ::2], numpy.zeros((4, 4), order="F")):
        with pytest.raises(TypeError, match="C-contiguous"):
            vgetrandom.reseed(array_of_two)


def test_the_error_of_the_object_itself_is_raised() -> None:
    with pytest.raises(ValueError, match="closed"):
        vgetrandom.reseed(closed_mmap())


def test_the_buffer_is_released_again() -> None:
    data = bytearray(b"secret")
    vgetrandom.reseed(data)
    data.append(1)  # an exported buffer would not grow
