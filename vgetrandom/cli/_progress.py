# SPDX-License-Identifier: MIT
"""A line on the terminal that says how far a command is."""

from __future__ import annotations

import os
import sys


class Progress:
    """The line. It is shown only if standard error is a terminal that can overwrite a line."""

    def __init__(self) -> None:
        self._shown = bool(sys.stderr and sys.stderr.isatty())
        self._shown &= os.environ.get("TERM") not in ("dumb", "unknown")
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the line.

        Args:
            text (str): What to say.
        """
        if self._shown:
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(text)

    def clear(self) -> None:
        """Erase the line."""
        if self._width:
            self.show("")
            print("\r", end="", file=sys.stderr, flush=True)
