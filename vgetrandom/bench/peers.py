# SPDX-License-Identifier: MIT
"""The peers that draw bytes, in the order of the tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

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
    """One implementation of what a group measures: one row.

    Attributes:
        name: Its name in tables and files, without a comma, which separates the case.
        bind: Returns the call to time, for a size in bytes if the group has sizes; imports what
            it needs. Raises ImportError if that is not installed, AbsentError if this machine
            does not have it.
        refills: Returns a function that counts the refills so far, if there is one.
    """

    name: str
    bind: Callable[[int], Call]
    refills: Callable[[], Callable[[], int]] | None = None


@dataclass(frozen=True)
class Function:
    """A task that several peers do, each in its own way; they are measured in turn.

    Attributes:
        label: The call as a user would write it; empty if the group's title is enough.
        peers: The implementations, in the order of the table.
    """

    label: str
    peers: tuple[Peer, ...]


BASELINE = "os.urandom"
"""The peer that a group's ratios are relative to, unless the group names another."""

OURS = "random_bytes"
"""Our own row where bytes are drawn."""


CONTROL = "random_bytes (again)"
"""The same function as OURS under a second name, at the other end of the list. A run cannot resolve
differences smaller than the one between the two."""


def is_ours(name: str) -> bool:
    """Whether a row is one of our own."""
    return name.startswith((OURS, "vgetrandom"))


@lru_cache(maxsize=1)
def _buffer(size: int) -> bytearray:
    """The buffer to fill, the same for all peers because its alignment affects the figures."""
    return bytearray(size)


def _random_bytes(size: int) -> Call:
    from vgetrandom import random_bytes

    return Call(random_bytes, (size,))


def _random_bytes_into(size: int) -> Call:
    from vgetrandom import random_bytes_into

    return Call(random_bytes_into, (_buffer(size),))


def _refills() -> Callable[[], int]:
    from vgetrandom import stats

    return lambda: stats().refills


def _os_urandom(size: int) -> Call:
    import os

    return Call(os.urandom, (size,))


def _os_getrandom(size: int) -> Call:
    import os

    if not hasattr(os, "getrandom"):
        raise AbsentError("this interpreter has no os.getrandom (PyPy)")
    return Call(os.getrandom, (size,))


def _need_vdso() -> None:
    from vgetrandom import _peers

    if not _peers.vdso_available():
        raise AbsentError("no vDSO getrandom was found in this process")


def _kernel_vdso(size: int) -> Call:
    from vgetrandom import _peers

    _need_vdso()
    return Call(_peers.vdso_bytes, (size,))


def _kernel_vdso_into(size: int) -> Call:
    from vgetrandom import _peers

    _need_vdso()
    return Call(_peers.vdso_bytes_into, (_buffer(size),))


def _dev_urandom(size: int) -> Call:
    import io

    return Call(io.FileIO("/dev/urandom").readinto, (_buffer(size),))


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


def _cryptography_into(size: int) -> Call:
    return Call(_chacha20().update_into, (bytes(size), _buffer(size)))


def _pynacl(size: int) -> Call:
    from nacl.utils import random

    return Call(random, (size,))


def _numpy(size: int) -> Call:
    from numpy.random import default_rng

    return Call(default_rng().bytes, (size,))


NEW_BYTES: tuple[Peer, ...] = (
    Peer(OURS, _random_bytes, refills=_refills),
    Peer(BASELINE, _os_urandom),
    Peer("os.getrandom", _os_getrandom),
    Peer("kernel vDSO", _kernel_vdso),
    Peer("secrets.token_bytes", _secrets),
    Peer("ssl.RAND_bytes", _openssl),
    Peer("cryptography ChaCha20", _cryptography),
    Peer("PyNaCl", _pynacl),
    Peer("NumPy Generator.bytes (insecure)", _numpy),
    Peer("random.randbytes (insecure)", _mersenne_twister),
    Peer(CONTROL, _random_bytes),
)

FILLED_BUFFERS: tuple[Peer, ...] = (
    Peer("random_bytes_into", _random_bytes_into),
    # It cannot fill a buffer: new bytes are what a caller has without us.
    Peer(BASELINE, _os_urandom),
    Peer("/dev/urandom", _dev_urandom),
    Peer("kernel vDSO", _kernel_vdso_into),
    Peer("cryptography ChaCha20", _cryptography_into),
)
