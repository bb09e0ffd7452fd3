# SPDX-License-Identifier: MIT
"""What a run is asked for: the steps, and the command that repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vgetrandom.bench.groups import GROUPS
from vgetrandom.bench.measure import QUICK
from vgetrandom.bench.options import Options


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (Options(), "vgetrandom bench"),
        (Options(effort=QUICK), "vgetrandom bench --quick"),
        (Options(groups=("bytes", "fill")), "vgetrandom bench --groups bytes fill"),
        (
            Options(groups=("bytes",) * len(GROUPS)),
            "vgetrandom bench --groups" + " bytes" * len(GROUPS),
        ),
        (Options(sizes=(16, 32)), "vgetrandom bench --sizes 16 32"),
        (Options(json=Path("a file"), compare=Path("old"), markdown=True), "vgetrandom bench"),
    ],
)
def test_the_command_measures_the_same_again(options: Options, command: str) -> None:
    assert options.command() == command


def test_steps_are_in_the_order_of_the_groups() -> None:
    options = Options(groups=("fill", "bytes"), sizes=(16, 32))
    steps = [(step.group.name, step.size) for step in options.steps()]
    assert steps == [("bytes", 16), ("bytes", 32), ("fill", 16), ("fill", 32)]
