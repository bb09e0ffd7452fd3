# SPDX-License-Identifier: MIT
"""Measure what the size of a batch costs and saves; write bench/results/batch_size.md.

usage: python bench/batch_size.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from building import build, measure, table, write

KEYSTREAM_BYTES = (1024, 2048, 3072)
KEY_BYTES = 32

TEXT = """# The size of a batch

One refill computes this much keystream: the next key and the batch. Nanoseconds per draw, the best
of many; the last column is the draw that refills, its median. Measured by
`python bench/batch_size.py`.

{table}
A larger batch spreads the cost of a refill's kernel entropy over more draws. A smaller one exposes
less and refills sooner. Keystream is computed in groups of 1,024 bytes, and a state must fit into
one page together with the vDSO's own. The library has 3,072 (`csrc/state.h`).
"""


def main() -> None:
    """Build and measure every size."""
    with tempfile.TemporaryDirectory() as directory:
        variants = {
            f"{size} | {size - KEY_BYTES}": (
                build(Path(directory, str(size)), f"-DKEYSTREAM_BYTES={size}"),
                dict[str, str](),
            )
            for size in KEYSTREAM_BYTES
        }
        rows = measure(variants)
    columns = ["bytes of keystream", "bytes exposed at most"]
    write("batch_size.md", TEXT.format(table=table(columns, rows)))


if __name__ == "__main__":
    main()
