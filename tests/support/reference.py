"""ChaCha20 by another implementation, that of `cryptography`, and what is made of it."""

from __future__ import annotations

import struct

from support.ciphers import chacha20

BLOCK_BYTES = 64


def keystream(key: bytes, length: int, counter: int = 0) -> bytes:
    """Return the keystream from block `counter` on, with a 64-bit counter and a zero nonce."""
    pieces = []
    while length > 0:
        # One piece never crosses a multiple of 2^32: how others carry does not matter.
        blocks = min(-(-length // BLOCK_BYTES), 2**32 - counter % 2**32)
        piece = min(length, blocks * BLOCK_BYTES)
        nonce = (counter % 2**64).to_bytes(8, "little") + bytes(8)
        pieces.append(chacha20(key, nonce, piece))
        length -= piece
        counter += blocks
    return b"".join(pieces)


def xor(a: bytes, b: bytes) -> bytes:
    """Return the two added bit by bit."""
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def hchacha20(key: bytes, data: bytes) -> bytes:
    """Return HChaCha20: the first and last row of a block before its input is added again."""
    words = struct.unpack("<16I", chacha20(key, data, BLOCK_BYTES))
    start = struct.unpack("<16I", b"expand 32-byte k" + key + data)
    rows = [(word - added) % 2**32 for word, added in zip(words, start, strict=True)]
    return struct.pack("<8I", *rows[:4], *rows[12:])


class Pool:
    """The bytes that reseed() was given, as csrc/additional.c keeps them."""

    def __init__(self) -> None:
        """Begin a process's."""
        self.serial = 0
        self.pool = bytes(32)

    def give(self, data: bytes) -> None:
        """Add what one call gives."""
        total = hchacha20(bytes(32), struct.pack("<QQ", self.serial, len(data)))
        for at in range(0, len(data), 16):
            total = hchacha20(total, data[at : at + 16].ljust(16, b"\0"))
        self.serial += 1
        self.pool = xor(self.pool, total)
