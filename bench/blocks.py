# SPDX-License-Identifier: MIT
"""Blocks of a Markdown page that a script writes, between two comments that name them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

Pages = dict[Path, dict[str, str]]
"""What stands in the blocks of some pages, by the blocks' names."""


class DisagreementError(Exception):
    """A page and what it is made from do not belong together; the message says how."""


def markers(name: str) -> tuple[str, str]:
    """The lines of a page that a block stands between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def updated(page: str, name: str, inner: str) -> str:
    """Put a block between its markers of a page.

    Raises:
        DisagreementError: The markers are not there.
    """
    first, last = markers(name)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise DisagreementError(f"a page has no {first} and {last}")
    return f"{before}{first}\n{inner}\n{last}{after}"


def main(arguments: list[str], description: str | None, make: Callable[[], Pages]) -> int:
    """Write pages, or check with --check whether they are as they would be written.

    Args:
        arguments: The command line's.
        description: The script's documentation.
        make: Makes what stands in the blocks; may raise DisagreementError.

    Returns:
        The exit status: 1 says that something disagrees.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    args = parser.parse_args(arguments)
    changed = {}
    try:
        for page, blocks in make().items():
            old = new = page.read_text(encoding="utf-8")
            for name, inner in blocks.items():
                new = updated(new, name, inner)
            if new != old:
                changed[page] = new
    except DisagreementError as error:
        print(error, file=sys.stderr)
        return 1
    for page, new in changed.items():
        if args.check:
            print(f"{page.name} is not what {parser.prog} makes of the runs", file=sys.stderr)
        else:
            page.write_text(new, encoding="utf-8")
    return 1 if args.check and changed else 0
