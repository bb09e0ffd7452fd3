# SPDX-License-Identifier: MIT
"""ChaCha20 as `cryptography` has it, which PyPy may have to do without."""

from __future__ import annotations

import functools
from typing import Any

import pytest


@functools.cache
def _modules() -> tuple[Any, Any]:
    name = "cryptography.hazmat.primitives.ciphers"
    reason = "cryptography is not installed"
    return (
        pytest.importorskip(name, reason=reason),
        pytest.importorskip(f"{name}.algorithms", reason=reason),
    )


def chacha20(key: bytes, nonce: bytes, length: int) -> bytes:
    """Return keystream under a key of 32 bytes; the nonce's 16 begin with the block counter."""
    ciphers, algorithms = _modules()
    encryptor = ciphers.Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor()
    stream: bytes = encryptor.update(bytes(length))
    return stream
