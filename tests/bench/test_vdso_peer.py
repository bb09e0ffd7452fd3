# SPDX-License-Identifier: MIT
"""The peer that is the kernel's vDSO itself, through an extension module that nothing else uses."""

from __future__ import annotations

import os
from typing import Any

import pytest

from vgetrandom import _peers
from vgetrandom.bench import reach

needs_vdso = pytest.mark.skipif(
    not _peers.vdso_available(), reason="no vDSO getrandom was found in this process"
)


@pytest.mark.skipif(not hasattr(os, "getrandom"), reason="PyPy has no os.getrandom")
def test_a_system_call_is_recognised() -> None:
    assert reach.how(os.getrandom) == "system call"


@needs_vdso
def test_the_vdso_is_recognised() -> None:
    assert reach.how(_peers.vdso_bytes) == "vDSO"


@needs_vdso
def test_each_call_gives_new_bytes() -> None:
    assert _peers.vdso_bytes(0) == b""
    assert len({_peers.vdso_bytes(16) for _ in range(1000)}) == 1000


@needs_vdso
def test_a_buffer_is_filled() -> None:
    buffer = bytearray(1 << 20)
    _peers.vdso_bytes_into(buffer)
    assert buffer.count(0) < 1 << 13


@needs_vdso
@pytest.mark.parametrize(
    ("size", "error"), [(-1, ValueError), (1.0, TypeError), (2**63, OverflowError)]
)
def test_a_bad_size_is_refused(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        _peers.vdso_bytes(size)


@needs_vdso
def test_a_read_only_buffer_is_refused() -> None:
    with pytest.raises((BufferError, ValueError)):  # ValueError is PyPy's
        _peers.vdso_bytes_into(b"read-only")
