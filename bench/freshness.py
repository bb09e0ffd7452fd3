# SPDX-License-Identifier: MIT
"""Measure what the entropy in every refill and the watch cost; write bench/results/freshness.md.

usage: python bench/freshness.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from building import build, measure, table, write

VARIANTS = {
    "vDSO entropy, watch": {},
    "vDSO entropy, no watch": {"VGETRANDOM_WATCH": "off"},
    "entropy by system call": {"VGETRANDOM_VDSO": "off"},
    "ordinary memory, wiped on fork": {"VGETRANDOM_MEMORY": "wipe-on-fork"},
    "no state at all": {"VGETRANDOM_MEMORY": "none"},
}

TEXT = """# What freshness costs

Every refill mixes in 32 bytes from the kernel, and every draw compares the watched generations
after its last use of the state. Nanoseconds per draw, the best of many; the last column is the draw
that refills, its median. Measured by `python bench/freshness.py`.

{table}
The watch is a few loads and one comparison that run beside the copy. Without the vDSO each refill
makes a system call.
"""


def main() -> None:
    """Measure one build under every limit."""
    with tempfile.TemporaryDirectory() as directory:
        program = build(Path(directory))
        rows = measure({name: (program, limits) for name, limits in VARIANTS.items()})
    write("freshness.md", TEXT.format(table=table(["variant"], rows)))


if __name__ == "__main__":
    main()
