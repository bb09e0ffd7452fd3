# SPDX-License-Identifier: MIT
"""Run every probe, for `doctor`, in a process of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from vgetrandom._probes import PROBES, prober, secrecy

if TYPE_CHECKING:
    from collections.abc import Callable


def run(send: Callable[[object], None], thorough: bool, copy: bool) -> None:  # noqa: FBT001
    """Run them in the order of the table.

    Args:
        send: Called with each row, as a dictionary, as soon as it is known.
        thorough: Whether a probe may change the whole machine for a moment.
        copy: Whether this process is a forked copy of the caller's.
    """
    secrecy.thorough = thorough
    secrecy.copy = copy
    for each in PROBES:
        send(asdict(prober.run_one(each)))
