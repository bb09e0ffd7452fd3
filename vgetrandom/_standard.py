# SPDX-License-Identifier: MIT
"""Copies of the standard library's functions that look up their global names elsewhere."""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def over(function: Callable[..., Any], names: dict[str, Any]) -> Callable[..., Any]:
    """Copy a function that is written in Python.

    Unusual arguments are left to the standard library's own code, so that errors are those of the
    running interpreter. Called unchanged, that code would draw from the kernel.

    Args:
        function (Callable): A function written in Python.
        names (dict[str, Any]): The globals of the copy.

    Returns:
        Callable: The copy.
    """
    assert isinstance(function, FunctionType)
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
