# SPDX-License-Identifier: MIT
"""What `random` and `secrets` are built from without the extension module (on PyPy)."""

from __future__ import annotations

import base64

from vgetrandom import _core, random_bytes

# So many characters may be collected before there is a string of them.
_FEW = 256


def random(self: object) -> float:  # noqa: ARG001
    """Return a float in [0.0, 1.0), a multiple of 2**-53."""
    return (int.from_bytes(random_bytes(7), "big") >> 3) * 2.0**-53


def randbits(k: int) -> int:
    """Return an int of k random bits.

    Raises:
        ValueError: k is negative.
    """
    if k < 0:
        raise ValueError("number of bits must be non-negative")
    size = (k + 7) // 8
    return int.from_bytes(random_bytes(size), "big") >> (size * 8 - k)


def getrandbits(self: object, k: int) -> int:  # noqa: ARG001
    """Return an int of k random bits."""
    return randbits(k)


def randbytes(self: object, n: int) -> bytes:  # noqa: ARG001
    """Return n random bytes."""
    return random_bytes(n)


def randbelow(exclusive_upper_bound: int) -> int:
    """Return an int in [0, exclusive_upper_bound).

    Raises:
        ValueError: The bound is not positive.
    """
    if exclusive_upper_bound <= 0:
        raise ValueError("Upper bound must be positive.")
    bits = exclusive_upper_bound.bit_length()
    while True:
        number = randbits(bits)
        if number < exclusive_upper_bound:
            return number


def token_bytes(nbytes: int | None = None) -> bytes:
    """Return nbytes random bytes, 32 if it is None."""
    return random_bytes(32 if nbytes is None else nbytes)


def token_hex(nbytes: int | None = None) -> str:
    """Return nbytes random bytes, 32 if it is None, in hexadecimal."""
    return token_bytes(nbytes).hex()


def token_urlsafe(nbytes: int | None = None) -> str:
    """Return nbytes random bytes, 32 if it is None, in URL-safe Base64 without padding."""
    return base64.urlsafe_b64encode(token_bytes(nbytes)).rstrip(b"=").decode("ascii")


def token_string(alphabet: str, length: int) -> str:
    """Return length characters that are chosen independently from an alphabet.

    Raises:
        ValueError: The alphabet is empty, or length is negative.
        TypeError: The alphabet is not a str, or length is not an integer.
        OverflowError: length does not fit into a C ssize_t.
        MemoryError: There is no memory for that many characters; none has been drawn.
    """
    if not isinstance(alphabet, str):
        raise TypeError(f"alphabet must be a str, not {type(alphabet).__name__}")
    count = _core.ssize(length)
    if not alphabet:
        raise ValueError("the alphabet is empty")
    if count < 0:
        raise ValueError("length must be non-negative")
    if count <= _FEW:
        return "".join(alphabet[randbelow(len(alphabet))] for _ in range(count))
    return _core.string(count, lambda: ord(alphabet[randbelow(len(alphabet))]))
