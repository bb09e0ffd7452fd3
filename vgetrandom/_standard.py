# SPDX-License-Identifier: MIT
"""Functions of the standard library, with something else in place of what they look up."""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def over(function: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any]:
    """Copy a function of Python's.

    What is unusual goes to the standard library's code, so that its errors are those of the
    interpreter at hand; were it called as it is, it would draw from the kernel.

    Args:
        function (Callable): Written in Python.
        names (dict[str, Any]): The copy's globals: what its names stand for.

    Returns:
        Callable: The copy.
    """
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
