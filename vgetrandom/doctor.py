# SPDX-License-Identifier: MIT
"""What this kernel does with droppable memory, and gives vgetrandom.

Every property is tried, not looked up. The probes run in child processes; none can hurt the
caller, and none changes anything outside itself: the one that would (a swap file) has to be asked
for. ``vgetrandom doctor`` prints the rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vgetrandom import _child
from vgetrandom._probes import PROBES, Row, everything

__all__ = ["Row", "diagnose", "summary", "untried"]

_NOT_TRIED = "not tried: "  # how a row begins whose property nobody looked at


def diagnose(*, thorough: bool = False) -> list[Row]:
    """Probe the running kernel.

    Takes about a second. The probes run in a fresh interpreter; where there is none, as in a
    frozen program or under an embedding server, in a fork of this process, unless it has threads.

    Args:
        thorough (bool): also make, as root and for a moment, a swap file of 32 MiB where the
            machine has no swap.

    Returns:
        list[Row]: a row for each property. One whose probe crashed or hung is not ok and says so.
        Where no process can be started, every row says that it was not tried, and why.
    """
    reasons = []
    rows: dict[str, Row] = {}
    for start in (_child.start_interpreter, _child.start_fork):
        copy = start is _child.start_fork
        try:
            with start(everything.run, thorough, copy) as child:
                rows = {answer["name"]: Row(**answer) for answer in child.results()}
                if len(rows) < len(PROBES):
                    reasons.append(f"the probes' process ended early: {child.ending()}")
        except _child.NoChildError as reason:
            reasons.append(str(reason))
        if rows:
            break
    why = _NOT_TRIED + "; ".join(dict.fromkeys(reasons))
    return [rows.get(each.name) or Row(each.name, each.expected, why, ok=None) for each in PROBES]


def untried(rows: Sequence[Row]) -> str:
    """Tell why nothing was tried.

    Args:
        rows (Sequence[Row]): from `diagnose`.

    Returns:
        str: the reason; empty where something was tried.
    """
    reasons = {row.observed for row in rows}
    reason = reasons.pop() if len(reasons) == 1 else ""
    return reason.removeprefix(_NOT_TRIED) if reason.startswith(_NOT_TRIED) else ""


def summary(rows: Sequence[Row]) -> str:
    """Say in one sentence what this machine gives vgetrandom.

    Args:
        rows (Sequence[Row]): from `diagnose`.

    Returns:
        str: the sentence.
    """
    kernel = f"Linux {os.uname().release}"
    if reason := untried(rows):
        return f"{kernel} was not probed: {reason}."
    has = {row.name for row in rows if row.ok}
    unknown = {row.name for row in rows if row.observed.startswith(_NOT_TRIED)}
    if "mmap(MAP_DROPPABLE)" in has:
        memory = "droppable memory for its state"
    elif {"mmap(MAP_DROPPABLE)", "MADV_WIPEONFORK"} & unknown:
        memory = "memory for its state that could not be probed"
    elif "MADV_WIPEONFORK" in has:
        memory = "wipe-on-fork memory for its state (it can reach swap)"
    else:
        memory = "no memory that is safe for a state (every draw is a system call)"
    if "vDSO getrandom" in has:
        keys = "keys from the vDSO"
    elif "vDSO getrandom" in unknown:
        keys = "keys from a source that could not be probed"
    else:
        keys = "keys by system call"
    watch = "a" if "generation counter" in has else "no"
    gives = f"{memory}, {keys} and {watch} generation counter to watch"
    wrong = ", ".join(row.name for row in rows if row.ok is False)
    but = f", but contradicts what is documented: {wrong}" if wrong else ""
    return f"{kernel} gives vgetrandom {gives}{but}."
