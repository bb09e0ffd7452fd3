# SPDX-License-Identifier: MIT
"""Put vgetrandom behind the standard library's secure randomness, for a whole program.

Examples:
    >>> from vgetrandom import patch
    >>> with patch.installed():
    ...     import secrets
    ...     len(secrets.token_hex(8))
    16

It replaces the names that everything else is built from: ``os.urandom``,
``random._urandom``, the class ``random.SystemRandom``, the instance behind ``secrets`` and its
bound methods, and ``uuid.uuid4`` (and ``uuid.uuid7`` if there is one). So functions that were
imported earlier (``from secrets import token_hex``) and existing instances of
`random.SystemRandom` draw from vgetrandom too. A module that imported ``os.urandom`` itself by name
cannot be reached; `install` returns the names of such modules.

An instance of the standard library's class that was made earlier is not an instance of the class
that ``random.SystemRandom`` names afterwards.

This is for applications, which decide for the whole process. A library must not call `install`;
it can use `vgetrandom.secrets` and the other modules.
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
# What we have replaced in the standard library: (module, name) -> (the original, our object).
_replaced: dict[tuple[str, str], tuple[object, object]] = {}


def _new_lock() -> None:
    # Another thread of the parent may have held it.
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_new_lock)


def _obeying_urandom(ours: Callable[[], uuid.UUID], theirs: Callable[[], uuid.UUID]) -> object:
    """Make a UUID function that uses the standard library's when a test mocks os.urandom."""

    @functools.wraps(theirs)
    def make() -> uuid.UUID:
        return ours() if os.urandom is vgetrandom.random_bytes else theirs()

    return make


def _replacements() -> dict[tuple[str, str], object]:
    """Return what to replace: the lowest names, which the modules are built from.

    Names further up (``secrets.token_hex``) stay. They call the lower ones, so tests that mock
    those still work.
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
    """Make the standard library draw from vgetrandom. A second call changes nothing.

    Returns:
        list[str]: Names, as ``module.name``, under which modules have imported the kernel's
        ``os.urandom`` themselves. They go on drawing from the kernel.
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
    """Restore what `install` replaced, except names that other code has replaced since."""
    with _lock:
        for (module, name), (before, ours) in _replaced.items():
            owner = importlib.import_module(module)
            if getattr(owner, name, _MISSING) is ours:
                setattr(owner, name, before)
        _replaced.clear()


def is_installed() -> bool:
    """Return whether `install` was called, and `uninstall` was not called since.

    Returns:
        bool: True if so. It says nothing about names that other code has replaced meanwhile.
    """
    return bool(_replaced)


@contextmanager
def installed() -> Iterator[list[str]]:
    """Install while a ``with`` block runs, in all threads of the process.

    Inside another such block, or after `install`, it changes nothing.

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
        # sys.modules can hold any object; with some, getattr() would import something.
        attributes = getattr(module, "__dict__", None)
        if not isinstance(attributes, dict) or module in {os, sys.modules[__name__]}:
            continue
        names += [f"{name}.{key}" for key, value in list(attributes.items()) if value is _urandom]
    # os imports it from posix.
    return sorted(name for name in names if name not in {"posix.urandom", "os.urandom"})
