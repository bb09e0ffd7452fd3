# SPDX-License-Identifier: MIT
"""The draws that faults are injected into."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from .injector import Injector, Kind, Sizes

if TYPE_CHECKING:
    from pathlib import Path


SMALL = 40  # not a key's 32 bytes: the two must not be taken for each other


@functools.cache
def sizes(library: Path) -> Sizes:
    """Return the constants of the core under test."""
    with Injector(library, Kind("small", (), 16)) as injector:
        return injector.sizes


def kinds(sizes: Sizes) -> dict[str, Kind]:
    """Return a draw for every way through the protocol, by name."""
    half = sizes.batch // 2
    every = [
        Kind("first use", (), SMALL),
        Kind("small, from the batch", (48,), SMALL),
        Kind("middling, from the batch", (48,), 1000),
        Kind("refilling", (half, sizes.batch - half - 8), SMALL),
        Kind("to the batch's end", (half, sizes.batch - half - SMALL), SMALL),
        Kind("after the batch's end", (half, sizes.batch - half), SMALL),
        Kind("bulk, one chunk", (48,), 4 * sizes.bulk_grain),
        Kind("bulk, one chunk and a tail", (48,), sizes.bulk_min + sizes.bulk_grain),
        Kind("bulk", (48,), 2 * sizes.bulk + sizes.bulk_grain + 40),
    ]
    return {kind.name: kind for kind in every}
