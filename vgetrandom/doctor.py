# SPDX-License-Identifier: MIT
"""Tests what the running kernel does with droppable memory and what it offers vgetrandom.

Every property is tested, not looked up. The probes run in child processes, so none can harm the
caller, and none affects the rest of the machine, except one that makes a swap file and has to be
asked for. ``vgetrandom doctor`` prints the rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vgetrandom import _child
from vgetrandom._probes import PROBES, Row, everything

__all__ = ["Row", "diagnose", "summary", "untried"]

_NOT_TRIED = "not tried: "  # begins the row of a property that was not tested


def diagnose(*, thorough: bool = False) -> list[Row]:
    """Probe the running kernel.

    Takes about a second. The probes run in a fresh interpreter. If there is none, as in a frozen
    program or an embedding server, they run in a fork of this process, unless it has threads.

    Args:
        thorough (bool): also make, as root and for a moment, a swap file of 32 MiB where the
            machine has no swap.

    Returns:
        list[Row]: a row for each property. If a probe crashed or hung, its row is not ok and says
        so. If no process can be started, every row says that it was not tried, and why.
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
    """Return why nothing was tested.

    Args:
        rows (Sequence[Row]): from `diagnose`.

    Returns:
        str: the reason; empty if something was tested.
    """
    reasons = {row.observed for row in rows}
    reason = reasons.pop() if len(reasons) == 1 else ""
    return reason.removeprefix(_NOT_TRIED) if reason.startswith(_NOT_TRIED) else ""


def summary(rows: Sequence[Row]) -> str:
    """Describe in one sentence what this machine offers vgetrandom.

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
