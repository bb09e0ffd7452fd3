"""ChaCha20 by another implementation: that of `cryptography`."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

BLOCK_BYTES = 64


def keystream(key: bytes, length: int, counter: int = 0) -> bytes:
    """Return the keystream from block `counter` on, with a 64-bit counter and a zero nonce."""
    pieces = []
    while length > 0:
        # One piece never crosses a multiple of 2^32: how others carry does not matter.
        blocks = min(-(-length // BLOCK_BYTES), 2**32 - counter % 2**32)
        piece = min(length, blocks * BLOCK_BYTES)
        nonce = (counter % 2**64).to_bytes(8, "little") + bytes(8)
        encryptor = Cipher(ChaCha20(key, nonce), mode=None).encryptor()
        pieces.append(encryptor.update(bytes(piece)))
        length -= piece
        counter += blocks
    return b"".join(pieces)
