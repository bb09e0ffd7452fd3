"""Check the models, that of the draw within wide bounds, and that each defect is caught."""

from __future__ import annotations

import sys

from support.tools import missing

from .check import DEFECTS, MODEL, ORDER, ORDER_DEFECTS, TOOLS, Bounds, check, defective

BOUNDS = Bounds(draws=3, events=5)


def main() -> int:
    """Return 0 where all is as it should be."""
    if missing(*TOOLS):
        print(f"not installed: {missing(*TOOLS)} (on Debian: make tools)", file=sys.stderr)
        return 2
    verdict = check(MODEL.read_text(), BOUNDS)
    print(f"{BOUNDS.draws} draws, {BOUNDS.events} events: {verdict.states:,} states,", end=" ")
    print(verdict.violation or ("no violation" if verdict.complete else "not completed"))
    order = check(ORDER.read_text())
    print(f"the order of memory accesses: {order.states:,} states,", end=" ")
    print(order.violation or ("no violation" if order.complete else "not completed"))
    caught = {name: check(defective(name), BOUNDS).violation for name in DEFECTS}
    caught |= {name: check(defective(name, ORDER)).violation for name in ORDER_DEFECTS}
    for name, violation in caught.items():
        print(f"{name}: {violation or 'missed'}")
    return int(not verdict.complete or not order.complete or not all(caught.values()))


if __name__ == "__main__":
    sys.exit(main())
