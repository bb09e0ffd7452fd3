# SPDX-License-Identifier: MIT
"""Attributes of a module that are loaded when they are first used.

A module's own `__getattr__` (PEP 562) would do, but up to Python 3.14 the interpreter does not
specialise `module.name` for a module that has one, whatever the name. `vgetrandom.random_bytes(16)`
then takes nearly twice as long and, on a free-threaded interpreter, writes to the function's
reference count, for which the threads wait on each other.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
else:
    ModuleType = type(sys)  # one import less


class _Lazy:
    """One attribute. It is found where the module's dict has no such name."""

    def __init__(self, name: str, origin: str) -> None:
        self.name = name
        self.origin = origin

    def __get__(self, module: ModuleType | None, of: type[ModuleType]) -> object:
        from importlib import import_module

        if module is None:
            return self
        value: object = import_module(self.origin)
        if self.origin != f"{module.__name__}.{self.name}":
            value = getattr(value, self.name)
        module.__dict__[self.name] = value
        return value


def load_when_used(module: str, origins: Mapping[str, str]) -> None:
    """Give a module attributes that are loaded when they are first used, and kept.

    Args:
        module (str): The name of a module that is in `sys.modules`.
        origins (Mapping[str, str]): By name, the module that defines it; or that is it, if it is
            the submodule of that name.
    """
    lazy = {name: _Lazy(name, origin) for name, origin in origins.items()}
    sys.modules[module].__class__ = type("module", (ModuleType,), lazy)
