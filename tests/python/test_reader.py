# SPDX-License-Identifier: MIT
"""reader(): an endless file."""

from __future__ import annotations

import io
import shutil
from typing import Any

import pytest

import vgetrandom
from support.running import in_child
from support.windows import assert_unrelated


def test_reads_what_was_asked_for() -> None:
    file = vgetrandom.reader()
    assert isinstance(file, io.RawIOBase)
    for size in (0, 1, 16, 70_000):
        assert len(file.read(size)) == size
    assert (file.readable(), file.writable(), file.seekable()) == (True, False, False)


@pytest.mark.parametrize("buffer", [bytearray(1000), memoryview(bytearray(1000)).cast("I")])
def test_readinto_fills_any_buffer(buffer: Any) -> None:
    assert vgetrandom.reader().readinto(buffer) == 1000
    assert bytes(buffer).count(0) < 100
    assert_unrelated(bytes(buffer))


@pytest.mark.parametrize("buffer", [b"abc", "abc", None, memoryview(bytearray(8))[::2]])
def test_readinto_refuses_others(buffer: Any) -> None:
    with pytest.raises((TypeError, BufferError)):
        vgetrandom.reader().readinto(buffer)


@pytest.mark.parametrize("how", ["read()", "read(-1)", "read(None)", "readall()"])
def test_a_read_without_an_end_is_refused(how: str) -> None:
    with pytest.raises(ValueError, match="random bytes have no end"):
        eval(f"file.{how}", {"file": vgetrandom.reader()})


@pytest.mark.parametrize(
    "how",
    ["readline()", "readline(5)", "readlines()", "write(b'x')", "seek(0)", "tell()", "fileno()"],
)
def test_what_such_a_file_cannot_do(how: str) -> None:
    with pytest.raises(io.UnsupportedOperation):
        eval(f"file.{how}", {"file": vgetrandom.reader()})


def test_wrong_sizes_are_those_of_random_bytes() -> None:
    for size in (1.5, "1"):
        with pytest.raises(TypeError):
            vgetrandom.reader().read(size)  # type: ignore[arg-type]


def test_a_closed_one_is_closed() -> None:
    with vgetrandom.reader() as file:
        assert len(file.read(3)) == 3
    for how in ("read(1)", "readinto(bytearray(1))", "readable()", "readline()"):
        with pytest.raises(ValueError, match="closed"):
            eval(f"file.{how}", {"file": file})


def test_in_a_buffered_reader_and_copied_from() -> None:
    buffered = io.BufferedReader(vgetrandom.reader())
    assert len(buffered.read(10_000)) == 10_000

    class Bounded(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() > 200_000:
                raise OSError("enough")
            return super().write(data)

    into = Bounded()
    with pytest.raises(OSError, match="enough"):
        shutil.copyfileobj(vgetrandom.reader(), into)
    assert_unrelated(into.getvalue()[:50_000])


def test_a_forked_child_shares_the_file_and_no_bytes() -> None:
    file = vgetrandom.reader()
    file.read(10)
    assert_unrelated(in_child(lambda: file.read(5000)), file.read(5000))
