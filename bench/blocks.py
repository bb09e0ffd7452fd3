# SPDX-License-Identifier: MIT
"""Blocks of a Markdown page that a script writes, between two comments that name them."""

from __future__ import annotations


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
        raise DisagreementError(f"the page has no {first} and {last}")
    return f"{before}{first}\n{inner}\n{last}{after}"
