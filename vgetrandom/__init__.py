# SPDX-License-Identifier: MIT
"""Random bytes from a ChaCha20 generator per thread, with every guarantee of getrandom(2).

Examples:
    >>> import vgetrandom
    >>> len(vgetrandom.random_bytes(16))
    16
"""

from __future__ import annotations

import sys

import vgetrandom  # annotations refer to names that are loaded late
from vgetrandom import _lazy

if sys.implementation.name == "cpython":
    try:
        from vgetrandom._native import __version__ as __version__
        from vgetrandom._native import info as _info
        from vgetrandom._native import prepare as _prepare
        from vgetrandom._native import random_bytes, random_bytes_into
        from vgetrandom._native import reseed as _reseed
        from vgetrandom._native import stats as _stats
    except ModuleNotFoundError as error:
        if error.name != "vgetrandom._native":
            raise
        from vgetrandom._paths import not_built

        raise not_built() from None
else:  # PyPy, where cffi is faster than an extension module
    from vgetrandom._core import __version__ as __version__
    from vgetrandom._core import info as _info
    from vgetrandom._core import prepare as _prepare
    from vgetrandom._core import random_bytes, random_bytes_into
    from vgetrandom._core import reseed as _reseed
    from vgetrandom._core import stats as _stats

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost 5 ms
if TYPE_CHECKING:
    from vgetrandom import droppable, patch, secrets
    from vgetrandom import numpy as numpy  # needs NumPy: not for import *
    from vgetrandom import opentelemetry as opentelemetry  # needs its SDK: likewise
    from vgetrandom import random as random  # for Dask
    from vgetrandom._reader import reader
    from vgetrandom._results import Info, Reseeds, Stats
    from vgetrandom._typing import Buffer as Buffer  # not public: the annotations' own
    from vgetrandom.random import SystemRandom
    from vgetrandom.uuid import uuid4, uuid4_str, uuid7, uuid7_str

__all__ = [
    "Info",
    "Reseeds",
    "Stats",
    "SystemRandom",
    "droppable",
    "get_include",
    "get_library",
    "info",
    "patch",
    "prepare",
    "random_bytes",
    "random_bytes_into",
    "reader",
    "reseed",
    "secrets",
    "stats",
    "uuid4",
    "uuid4_str",
    "uuid7",
    "uuid7_str",
]

# What these modules import (random, uuid, secrets) takes longer to load than the rest of this
# package.
_lazy.load_when_used(
    __name__,
    {
        "Buffer": "vgetrandom._typing",
        "Info": "vgetrandom._results",
        "Reseeds": "vgetrandom._results",
        "Stats": "vgetrandom._results",
        "SystemRandom": "vgetrandom.random",
        "droppable": "vgetrandom.droppable",
        "numpy": "vgetrandom.numpy",
        "opentelemetry": "vgetrandom.opentelemetry",
        "patch": "vgetrandom.patch",
        "random": "vgetrandom.random",
        "reader": "vgetrandom._reader",
        "secrets": "vgetrandom.secrets",
        "uuid4": "vgetrandom.uuid",
        "uuid4_str": "vgetrandom.uuid",
        "uuid7": "vgetrandom.uuid",
        "uuid7_str": "vgetrandom.uuid",
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def info() -> vgetrandom.Info:
    """Report what is in use on this machine, and why.

    Draws one byte first, so that it reports what is in use rather than what could be.

    Returns:
        Info: The ChaCha20 implementation, the memory, the source of entropy, and notes
        about every guarantee that does not hold here.
    """
    from vgetrandom._results import Info

    return Info(*_info())


def prepare() -> None:
    """Do now what this process's first draw would do, before a sandbox forbids it.

    Maps memory, opens files, claims the calling thread's state and draws. Afterwards the
    thread's draws make no system call but getrandom(2); docs/sandboxes.md lists the calls of
    other threads and of forked children. Call it again to retry what failed for lack of
    memory or descriptors.

    Raises:
        OSError: The kernel's getrandom failed; errno says how. Any other feature that this
            machine lacks is not an error: info() reports it.
    """
    _prepare()


def stats() -> vgetrandom.Stats:
    """Report what this process has done so far.

    Returns:
        Stats: Counters, summed over all threads of this process, past and present. A forked
        child starts from zero.
    """
    from vgetrandom._results import Reseeds, Stats

    refills, reseeds, syscalls, fallbacks = _stats()
    return Stats(refills, Reseeds(*reseeds), syscalls, fallbacks)


def reseed(additional: vgetrandom.Buffer = b"") -> None:
    """Make every thread's next draw start from a fresh key.

    For hooks that run after a machine was restored from a snapshot, such as AWS Lambda
    SnapStart's after-restore hook. If the kernel's generator was cloned with the machine, fresh
    keys are the same in every clone, and only bytes that the clones do not share separate them
    secretly. Never needed after a fork.

    Args:
        additional (Buffer): Bytes that go into every key which this process and its children
            fetch from now on, together with everything given earlier: a secret of the instance, or
            a nonce from the host. Any C-contiguous buffer. They can only add entropy: bytes that an
            attacker knows or chose do no harm.

    Raises:
        TypeError: additional is a str, None, not C-contiguous, or not a buffer.
    """
    _reseed(additional)


def get_include() -> str:
    """Return where ``vgetrandom.h`` is, for C users.

    Returns:
        str: A directory for the compiler's ``-I``.
    """
    from vgetrandom import _paths

    return _paths.include()


def get_library() -> str:
    """Return where ``libvgetrandom.so`` is, for C users and foreign function interfaces.

    This is the library that the package itself uses, so that a process has one set of states. If
    another copy with the same SONAME was loaded first, it is that copy (not on PyPy, which opens
    its own).

    Returns:
        str: The path of the shared library.
    """
    from vgetrandom import _paths

    return _paths.library()
