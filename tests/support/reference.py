# SPDX-License-Identifier: MIT
"""ChaCha20 by another implementation, that of `cryptography`, and what is made of it."""

from __future__ import annotations

import struct

from support.ciphers import chacha20

BLOCK_BYTES = 64
GROUP_BLOCKS = 16
GROUP_BYTES = GROUP_BLOCKS * BLOCK_BYTES


def standard(key: bytes, length: int, counter: int = 0, nonce: int = 0) -> bytes:
    """Return keystream from block `counter` on in the standard order, block after block."""
    pieces = []
    while length > 0:
        # One piece never crosses a multiple of 2^32: how others carry does not matter.
        blocks = min(-(-length // BLOCK_BYTES), 2**32 - counter % 2**32)
        piece = min(length, blocks * BLOCK_BYTES)
        start = (counter % 2**64).to_bytes(8, "little") + nonce.to_bytes(8, "little")
        pieces.append(chacha20(key, start, piece))
        length -= piece
        counter += blocks
    return b"".join(pieces)


def interleaved(group: bytes) -> bytes:
    """Return 16 blocks with word 0 of all of them first, then word 1 of all, and so on."""
    words = memoryview(group).cast("I")
    return b"".join(words[word :: BLOCK_BYTES // 4].tobytes() for word in range(16))


def keystream(key: bytes, length: int, counter: int = 0, nonce: int = 0) -> bytes:
    """Return whole groups of the core's keystream, in the order of docs/keystream.md."""
    assert length % GROUP_BYTES == 0
    blocks = standard(key, length, counter, nonce)
    groups = range(0, length, GROUP_BYTES)
    return b"".join(interleaved(blocks[at : at + GROUP_BYTES]) for at in groups)


def xor(a: bytes, b: bytes) -> bytes:
    """Return the exclusive or."""
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
        """Begin as a process does: with nothing given."""
        self.serial = 0
        self.pool = bytes(32)

    def give(self, data: bytes) -> None:
        """Add what one call gives."""
        total = hchacha20(bytes(32), struct.pack("<QQ", self.serial, len(data)))
        for at in range(0, len(data), 16):
            total = hchacha20(total, data[at : at + 16].ljust(16, b"\0"))
        self.serial += 1
        self.pool = xor(self.pool, total)
