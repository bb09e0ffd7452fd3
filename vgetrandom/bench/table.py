# SPDX-License-Identifier: MIT
"""Tables as text: with rich if it is installed, otherwise plain, or as Markdown."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of cells under a title.

    Attributes:
        title: Printed above the table.
        columns: Headings; a leading "<" aligns the column left, others are aligned right.
        rows: Cells, as many as there are columns.
        sections: Numbers of the rows that begin a block.
        strong: Numbers of the rows to emphasise.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    sections: set[int] = field(default_factory=set)
    strong: set[int] = field(default_factory=set)

    def headings(self) -> list[tuple[str, bool]]:
        """Headings, and whether each is aligned left."""
        return [(column.removeprefix("<"), column.startswith("<")) for column in self.columns]

    def widths(self) -> list[int]:
        titles = [title for title, _ in self.headings()]
        return [max(map(len, cells)) for cells in zip(titles, *self.rows, strict=True)]


def plain(table: Table) -> str:
    """Format a table as fixed-width text."""
    headings, widths = table.headings(), table.widths()

    def line(cells: tuple[str, ...]) -> str:
        return "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, (_, left) in zip(cells, widths, headings, strict=True)
        ).rstrip()

    lines = [table.title, line(tuple(title for title, _ in headings))]
    lines.append("  ".join("-" * width for width in widths))
    for number, row in enumerate(table.rows):
        if number in table.sections and number:
            lines.append("")
        lines.append(line(row))
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """Format a table as Markdown."""
    headings = table.headings()
    lines = [
        f"**{table.title}**",
        "",
        "| " + " | ".join(title for title, _ in headings) + " |",
        "|" + "|".join(" :-- " if left else " --: " for _, left in headings) + "|",
        *("| " + " | ".join(row) + " |" for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


def show(table: Table) -> None:
    """Print a table on standard output."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text
    except ImportError:
        print(plain(table))
        return
    pretty = RichTable(box=box.SIMPLE_HEAD)
    for title, left in table.headings():
        pretty.add_column(Text(title), justify="left" if left else "right", no_wrap=True)
    for number, row in enumerate(table.rows):
        if number in table.sections and number:
            pretty.add_section()
        pretty.add_row(*map(Text, row), style="bold" if number in table.strong else None)
    # No colour and no bold if the user asks for none: https://no-color.org
    styled = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    console = Console(file=sys.stdout, color_system="auto" if styled else None)
    # A pipe or a narrow terminal must not truncate the figures.
    edges = 3 * len(table.columns) + 1
    console.width = max(console.width, sum(table.widths()) + edges, len(table.title))
    console.print(Text(table.title, style="bold"))
    console.print(pretty)
