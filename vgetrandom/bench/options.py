# SPDX-License-Identifier: MIT
"""The options of one run of the benchmark."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from .groups import GROUPS
from .measure import NORMAL, Effort, Step, plan


@dataclass(frozen=True)
class Options:
    """What to measure, how long, and what to write.

    Attributes:
        effort: How long to measure.
        groups: Names of groups; a run measures them in the order of GROUPS.
        sizes: Bytes per draw, for every group that has sizes; empty for each group's own.
        json: Where to write every sample as JSON, or None.
        csv: Where to write the rows as CSV, or None.
        plot: Where to draw the figure, or None.
        markdown: Whether to print the tables as Markdown.
        compare: The JSON file of an older run to show changes against, or None.
        fail_above: By how many percent a row may be slower than in that run before the benchmark
            fails; None for any.
    """

    effort: Effort = NORMAL
    groups: tuple[str, ...] = tuple(group.name for group in GROUPS)
    sizes: tuple[int, ...] = ()
    json: Path | None = None
    csv: Path | None = None
    plot: Path | None = None
    markdown: bool = False
    compare: Path | None = None
    fail_above: float | None = None

    def steps(self) -> list[Step]:
        """List what is measured, in order."""
        return plan(self.groups, self.sizes, self.effort)

    def files(self) -> list[Path]:
        """List the files to be written."""
        return [path for path in (self.json, self.csv, self.plot) if path]

    def command(self) -> str:
        """The command that measures the same again, without the names of files."""
        words = ["vgetrandom", "bench"]
        if self.effort is not NORMAL:
            words.append(f"--{self.effort.name}")
        if len(set(self.groups)) < len(GROUPS):
            words += ["--groups", *self.groups]
        if self.sizes:
            words += ["--sizes", *map(str, self.sizes)]
        return shlex.join(words)
