# SPDX-License-Identifier: MIT
"""Check the models, that of the draw within wide bounds, and that each defect is caught."""

from __future__ import annotations

import sys

from support.tools import missing

from .check import DEFECTS, MODEL, ORDER, ORDER_DEFECTS, TOOLS, Bounds, Verdict, check, defective

BOUNDS = (Bounds(draws=3, events=5), Bounds(draws=3, events=4, bytes_given=True))


def main() -> int:
    """Return 0 where all is as it should be."""
    if missing(*TOOLS):
        print(f"not installed: {missing(*TOOLS)} (on Debian: make tools)", file=sys.stderr)
        return 2
    good = True
    for bounds in BOUNDS:
        bytes_given = ", bytes given" if bounds.bytes_given else ""
        verdict = check(MODEL.read_text(), bounds)
        good &= _told(f"{bounds.draws} draws, {bounds.events} events{bytes_given}", verdict)
    good &= _told("the order of memory accesses", check(ORDER.read_text()))
    caught = {
        name: "; ".join(filter(None, (check(defective(name), each).violation for each in BOUNDS)))
        for name in DEFECTS
    }
    caught |= {name: check(defective(name, ORDER)).violation for name in ORDER_DEFECTS}
    for name, violation in caught.items():
        print(f"{name}: {violation or 'missed'}")
    return int(not good or not all(caught.values()))


def _told(name: str, verdict: Verdict) -> bool:
    found = verdict.violation or ("no violation" if verdict.complete else "not completed")
    print(f"{name}: {verdict.states:,} states, {found}")
    return verdict.complete and not verdict.violation


if __name__ == "__main__":
    sys.exit(main())
