# SPDX-License-Identifier: MIT
"""Probes of what the running kernel does with droppable memory, a function for each property."""

from __future__ import annotations

# In the order of the table.
from vgetrandom._probes import mapping, dropping, secrecy, cgroup, generator  # isort: skip
from vgetrandom._probes.prober import PROBES, Row

__all__ = ["PROBES", "Row", "cgroup", "dropping", "generator", "mapping", "secrecy"]
