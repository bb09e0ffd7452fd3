# SPDX-License-Identifier: MIT
"""The draws that faults are injected into."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from .injector import Injector, Sizes, Target

if TYPE_CHECKING:
    from pathlib import Path


SMALL = 40  # not a key's 32 bytes: the two must not be taken for each other


@functools.cache
def sizes(library: Path) -> Sizes:
    """Return the constants of the core under test."""
    with Injector(library, Target("small", (), 16)) as injector:
        return injector.sizes


def targets(sizes: Sizes) -> dict[str, Target]:
    """Return a draw for every way through the protocol, by name."""
    half = sizes.batch // 2
    every = [
        Target("first use", (), SMALL),
        Target("small, from the batch", (48,), SMALL),
        Target("middling, from the batch", (48,), 1000),
        Target("refilling", (half, sizes.batch - half - 8), SMALL),
        Target("to the batch's end", (half, sizes.batch - half - SMALL), SMALL),
        Target("after the batch's end", (half, sizes.batch - half), SMALL),
        Target("bulk, one chunk", (48,), 4 * sizes.bulk_grain),
        Target("bulk, one chunk and a tail", (48,), sizes.bulk_min + sizes.bulk_grain),
        Target("bulk", (48,), 2 * sizes.bulk + sizes.bulk_grain + 40),
    ]
    return {target.name: target for target in every}
