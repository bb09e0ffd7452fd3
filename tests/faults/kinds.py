"""The draws that faults are injected into."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from .injector import Injector, Kind, Sizes

if TYPE_CHECKING:
    from pathlib import Path


@functools.cache
def sizes(library: Path) -> Sizes:
    """Return the constants of the core under test."""
    with Injector(library, Kind("small", (), 16)) as injector:
        return injector.sizes


def kinds(sizes: Sizes) -> dict[str, Kind]:
    """Return a draw for every way through the protocol, by name."""
    half = sizes.batch // 2
    every = [
        Kind("first use", (), 32),
        Kind("small, from the batch", (48,), 32),
        Kind("middling, from the batch", (48,), 1000),
        Kind("refilling", (half, sizes.batch - half - 8), 32),
        Kind("to the batch's end", (half, sizes.batch - half - 32), 32),
        Kind("after the batch's end", (half, sizes.batch - half), 32),
        Kind("bulk, one chunk", (48,), sizes.bulk_min + sizes.bulk_grain),
        Kind("bulk", (48,), 2 * sizes.bulk + sizes.bulk_grain + 40),
    ]
    return {kind.name: kind for kind in every}
