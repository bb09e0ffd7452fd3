# SPDX-License-Identifier: MIT
"""What docs/recorded/ has of a run of `make test-vm`: its table, and rows of the support table."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from support import recording
from vm.machine import ARCHITECTURES

COMMAND = "make test-vm"


def _emulator() -> str:
    """Say which qemu it is."""
    program = ARCHITECTURES["amd64"].qemu
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"qemu {said.stdout.split()[3].split('(')[0]}"


class Run:
    """One run: of all boots, or of all clones."""

    def __init__(self, what: str) -> None:
        """Begin to measure."""
        self._what = what
        self._began, self._load = time.monotonic(), os.getloadavg()[0]
        self._lines: list[str] = []
        self._rows: list[dict[str, Any]] = []

    def show(self, line: str, row: dict[str, Any] | None = None) -> None:
        """Print a line of the table, and keep it, with its row of the support table."""
        print(line, flush=True)
        self._lines.append(line)
        if row:
            self._rows.append(row)

    def _heading(self) -> str:
        minutes = (time.monotonic() - self._began) / 60
        today, load = dt.datetime.now(dt.UTC).date().isoformat(), os.getloadavg()[0]
        return (
            f"{COMMAND}, in its part `python -m vm {self._what}`: {_emulator()}, TCG, {today},\n"
            f"{minutes:.0f} minutes in all on a machine of {os.cpu_count()} processors under other "
            f"load (averages of {self._load:.1f}\nwhen it began, {load:.1f} when it ended).\n\n"
        )

    def record(self, directory: Path) -> None:
        """Write vm-boots.txt and support/boots.json, or vm-clones.txt, in this directory."""
        text = self._heading() + "\n".join(self._lines) + "\n"
        (directory / f"vm-{self._what}.txt").write_text(text, encoding="utf-8")
        if self._rows:
            recording.write(
                directory / "support" / f"{self._what}.json",
                command=COMMAND,
                how="booted in qemu",
                rows=self._rows,
            )
