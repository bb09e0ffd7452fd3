"""Who is measured: one entry per peer in PEERS, in the order of the tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext


class AbsentError(Exception):
    """This machine cannot measure a peer or a case; the message says why."""


class Call(NamedTuple):
    """A function with its arguments bound beforehand, so that no lambda is timed with it."""

    function: Callable[..., object]
    arguments: tuple[object, ...]


@dataclass(frozen=True)
class Peer:
    """One source of random bytes.

    Attributes:
        name: What tables and files call it. Holds no comma: that separates the case.
        new: Gives the call that returns so many new bytes; imports what it needs.
        fill: Gives the call that fills a buffer; imports what it needs.
        refills: Gives the function that counts refills so far, where one is known.
    """

    name: str
    new: Callable[[int], Call] | None = None
    fill: Callable[[bytearray], Call] | None = None
    refills: Callable[[], Callable[[], int]] | None = None

    def call(self, kind: Literal["new", "fill"], size: int) -> Call | None:
        """Bind one draw.

        Args:
            kind: "new" for new bytes, "fill" for a reused buffer.
            size: Bytes to draw.

        Returns:
            The call, or None where the peer does not offer that kind.

        Raises:
            ImportError: The peer is not installed.
            AbsentError: This machine does not have it.
        """
        if kind == "new":
            return self.new(size) if self.new else None
        return self.fill(bytearray(size)) if self.fill else None


BASELINE = "os.urandom"
"""The peer that the ratios are against."""

OURS = "random_bytes"
"""How the names of our own rows begin."""


def _random_bytes(size: int) -> Call:
    from vgetrandom import random_bytes

    return Call(random_bytes, (size,))


def _random_bytes_into(buffer: bytearray) -> Call:
    from vgetrandom import random_bytes_into

    return Call(random_bytes_into, (buffer,))


def _refills() -> Callable[[], int]:
    from vgetrandom import stats

    return lambda: stats().refills


def _os_urandom(size: int) -> Call:
    import os

    return Call(os.urandom, (size,))


def _os_urandom_for(buffer: bytearray) -> Call:
    # It cannot fill a buffer: new bytes are what a caller has without us.
    return _os_urandom(len(buffer))


def _os_getrandom(size: int) -> Call:
    import os

    return Call(os.getrandom, (size,))


def _need_vdso() -> None:
    from vgetrandom import _peers

    if not _peers.vdso_available():
        raise AbsentError("this kernel has no vDSO getrandom")


def _kernel_vdso(size: int) -> Call:
    from vgetrandom import _peers

    _need_vdso()
    return Call(_peers.vdso_bytes, (size,))


def _kernel_vdso_into(buffer: bytearray) -> Call:
    from vgetrandom import _peers

    _need_vdso()
    return Call(_peers.vdso_bytes_into, (buffer,))


def _dev_urandom(buffer: bytearray) -> Call:
    import io

    return Call(io.FileIO("/dev/urandom").readinto, (buffer,))


def _secrets(size: int) -> Call:
    import secrets

    return Call(secrets.token_bytes, (size,))


def _mersenne_twister(size: int) -> Call:
    import random

    return Call(random.randbytes, (size,))


def _openssl(size: int) -> Call:
    import ssl

    return Call(ssl.RAND_bytes, (size,))


def _chacha20() -> CipherContext:
    import os

    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    return Cipher(ChaCha20(os.urandom(32), bytes(16)), mode=None).encryptor()


def _cryptography(size: int) -> Call:
    return Call(_chacha20().update, (bytes(size),))


def _cryptography_into(buffer: bytearray) -> Call:
    return Call(_chacha20().update_into, (bytes(len(buffer)), buffer))


def _pynacl(size: int) -> Call:
    from nacl.utils import random

    return Call(random, (size,))


def _numpy(size: int) -> Call:
    from numpy.random import default_rng

    return Call(default_rng().bytes, (size,))


PEERS: tuple[Peer, ...] = (
    Peer(OURS, new=_random_bytes, refills=_refills),
    Peer("random_bytes_into", fill=_random_bytes_into),
    Peer(BASELINE, new=_os_urandom, fill=_os_urandom_for),
    Peer("os.getrandom", new=_os_getrandom),
    Peer("/dev/urandom", fill=_dev_urandom),
    Peer("kernel vDSO", new=_kernel_vdso, fill=_kernel_vdso_into),
    Peer("secrets.token_bytes", new=_secrets),
    Peer("ssl.RAND_bytes", new=_openssl),
    Peer("cryptography ChaCha20", new=_cryptography, fill=_cryptography_into),
    Peer("PyNaCl", new=_pynacl),
    Peer("NumPy Generator.bytes (insecure)", new=_numpy),
    Peer("random.randbytes (insecure)", new=_mersenne_twister),
)
