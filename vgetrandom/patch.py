# SPDX-License-Identifier: MIT
"""Put vgetrandom behind the standard library's secure randomness, for a whole program.

Examples:
    >>> from vgetrandom import patch
    >>> with patch.installed():
    ...     import secrets
    ...     len(secrets.token_hex(8))
    16

What is replaced are the names that everything else is built from: ``os.urandom``,
``random._urandom``, the class ``random.SystemRandom``, the instance behind ``secrets`` and what is
bound to it, and ``uuid.uuid4`` (``uuid.uuid7`` where there is one). So functions that were imported
before (``from secrets import token_hex``) and instances of `random.SystemRandom` that were made
before draw from vgetrandom too. What nothing can reach is a module that has ``os.urandom`` itself
by its own import; `install` returns the names of those.

An instance of the standard library's class that was made before is no instance of the class that
``random.SystemRandom`` then names.

For applications, which decide for the whole process. A library must not call `install`: it can use
`vgetrandom.secrets` and its kin.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import threading
import uuid
from contextlib import contextmanager

import vgetrandom
import vgetrandom.secrets
import vgetrandom.uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["install", "installed", "is_installed", "uninstall"]

_MISSING = object()
_urandom = os.urandom
_lock = threading.RLock()
# What stands in the standard library because of us: (module, name) -> (what was there, what is).
_replaced: dict[tuple[str, str], tuple[object, object]] = {}


def _new_lock() -> None:
    # Another thread of the parent may have held it.
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_new_lock)


def _obeying_urandom(ours: Callable[[], uuid.UUID], theirs: Callable[[], uuid.UUID]) -> object:
    """Make a UUID function that does as the standard library's where a test mocks os.urandom."""

    @functools.wraps(theirs)
    def make() -> uuid.UUID:
        return ours() if os.urandom is vgetrandom.random_bytes else theirs()

    return make


def _replacements() -> dict[tuple[str, str], object]:
    """Return what to put where, at the bottom of what the modules are built from.

    Names further up (``secrets.token_hex``) stay: they call the lower ones, and tests that mock
    those see it.
    """
    instance = vgetrandom.SystemRandom()
    found: dict[tuple[str, str], object] = {
        ("os", "urandom"): vgetrandom.random_bytes,
        ("random", "_urandom"): vgetrandom.random_bytes,
        ("random", "SystemRandom"): vgetrandom.SystemRandom,
        ("secrets", "SystemRandom"): vgetrandom.SystemRandom,
        ("secrets", "_sysrand"): instance,
        ("secrets", "choice"): instance.choice,
        ("secrets", "randbits"): instance.getrandbits,
        ("uuid", "uuid4"): _obeying_urandom(vgetrandom.uuid.uuid4, uuid.uuid4),
    }
    theirs = getattr(uuid, "uuid7", None)
    if theirs is not None:
        found["uuid", "uuid7"] = _obeying_urandom(vgetrandom.uuid.uuid7, theirs)
    return found


def install() -> list[str]:
    """Make the standard library draw from vgetrandom. Done twice, it does nothing the second time.

    Returns:
        list[str]: Which modules hold the kernel's ``os.urandom`` by an import of their own, as
        ``module.name``, and go on drawing from the kernel.
    """
    with _lock:
        if not _replaced:
            for (module, name), ours in _replacements().items():
                owner = importlib.import_module(module)
                before = getattr(owner, name, _MISSING)
                if before is _MISSING:
                    continue
                _replaced[module, name] = before, ours
                setattr(owner, name, ours)
        return _unreached()


def uninstall() -> None:
    """Put back what `install` replaced, but for names that somebody else has replaced since."""
    with _lock:
        for (module, name), (before, ours) in _replaced.items():
            owner = importlib.import_module(module)
            if getattr(owner, name, _MISSING) is ours:
                setattr(owner, name, before)
        _replaced.clear()


def is_installed() -> bool:
    """Tell whether `install` was called, and `uninstall` not since.

    Returns:
        bool: It says nothing of names that somebody else has replaced meanwhile.
    """
    return bool(_replaced)


@contextmanager
def installed() -> Iterator[list[str]]:
    """Install for as long as a ``with`` block runs, in all threads of the process.

    Within another such block, or after `install`, it changes nothing.

    Yields:
        list[str]: What `install` returns.
    """
    with _lock:
        mine = not is_installed()
        unreached = install()
    try:
        yield unreached
    finally:
        if mine:
            uninstall()


def _unreached() -> list[str]:
    names = []
    for name, module in list(sys.modules.items()):
        # Modules of any kind stand there; of some, each look at an attribute imports something.
        attributes = getattr(module, "__dict__", None)
        if not isinstance(attributes, dict) or module in {os, sys.modules[__name__]}:
            continue
        names += [f"{name}.{key}" for key, value in list(attributes.items()) if value is _urandom]
    # posix is where os has it from.
    return sorted(name for name in names if name not in {"posix.urandom", "os.urandom"})
