"""Runs a function of this package in a fresh interpreter that finds the same modules."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

# SIG_DFL: Ctrl-C reaches the parent too, and it is the one to speak.
_BOOT = """\
import importlib, json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path[:], module, function, arguments = json.loads(sys.argv[1])
getattr(importlib.import_module(module), function)(*arguments)
"""


def command(function: Callable[..., None], *arguments: object) -> list[str]:
    """Build the command line.

    Args:
        function: A function at the top of its module.
        arguments: What to call it with; JSON must be able to hold it.

    Returns:
        The arguments for `subprocess`.
    """
    job = [sys.path, function.__module__, function.__name__, arguments]
    return [sys.executable, "-c", _BOOT, json.dumps(job)]
