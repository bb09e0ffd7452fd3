# SPDX-License-Identifier: MIT
"""Real memory pressure: the kernel takes the states away while threads draw from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support import pressure
from support.places import ROOT
from support.windows import records
from vgetrandom import info
from vgetrandom._probes import cgroup
from vgetrandom._probes.prober import NotHere
from vgetrandom._proc import lines

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_DRAW = 1.0  # seconds


def drawn_under_pressure(outputs: Path) -> dict[str, Any]:
    """Run support/pressure.py in a memory cgroup of its own; return what it saw."""
    try:
        with cgroup.memory_group(pressure.LIMIT) as group:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "support.pressure", str(group.path), str(outputs)],
                capture_output=True,
                text=True,
                timeout=4 * pressure.PATIENCE,
                check=False,
                env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
            )
    except (NotHere, OSError) as reason:
        pytest.skip(str(reason))
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["survived"], "the allocating child was killed: the pressure was too much"
    return seen


@pytest.mark.skipif(info().memory != "droppable", reason=f"states live in {info().memory} memory")
def test_draws_go_on_and_nothing_repeats_while_the_kernel_drops_the_states(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    seen = drawn_under_pressure(outputs)
    if seen["lost"] < pressure.LOSSES and len(lines("/proc/swaps")) > 1:
        pytest.skip("the machine has swap, to which the kernel moves other pages instead")
    assert seen["lost"] >= pressure.LOSSES, seen
    assert min(seen["drawn"]) > 0, seen
    assert seen["slowest"] < LONGEST_DRAW, seen
    drawn = records(outputs.read_bytes())
    assert len(set(drawn)) == sum(seen["drawn"])
    assert bytes(pressure.SIZE) not in drawn
