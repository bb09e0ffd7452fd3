"""Measure what the size of a batch costs and saves; write bench/results/batch_size.md.

usage: python bench/batch_size.py

Builds the library in several sizes and measures them in turn, several times over.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "batch_size.md"
KEYSTREAM_BYTES = (512, 1024, 2048, 3072, 3584)
KEY_BYTES = 32
ROUNDS = 7

HEADER = """# The size of a batch

One refill computes this much keystream: the next key (32 bytes) and the batch. Nanoseconds per draw, the
best of many; the last column is the draw that refills, its median. Measured by `bench/batch_size.py`.

| keystream bytes | exposed at most | 16 bytes | 256 bytes | 1024 bytes | the draw that refills |
|---:|---:|---:|---:|---:|---:|
"""

WHY = """
Larger batches spread the cost of the kernel's 32 bytes over more draws; smaller ones expose less and refill
sooner. From 2,048 bytes of keystream on little is gained, and a state must fit into one page together with
the vDSO's own. 3,072 is what `csrc/state.h` says.
"""


def build(directory: Path, size: int) -> Path:
    """Build the library and bench/refill.c with one size; return the program."""
    configure = ["cmake", "-S", str(ROOT), "-B", str(directory), "-DVGETRANDOM_BENCH=ON"]
    configure.append(f"-DCMAKE_C_FLAGS=-DKEYSTREAM_BYTES={size}")
    for command in (configure, ["cmake", "--build", str(directory), "--target", "refill"]):
        subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return directory / "bench" / "refill"


def main() -> None:
    """Measure every size and write the table."""
    with tempfile.TemporaryDirectory() as temporary:
        programs = {size: build(Path(temporary, str(size)), size) for size in KEYSTREAM_BYTES}
        best = {size: [float("inf")] * 4 for size in KEYSTREAM_BYTES}
        for _ in range(ROUNDS):
            for size, program in programs.items():
                run = subprocess.run([program], check=True, capture_output=True, text=True)
                best[size] = [min(pair) for pair in zip(best[size], map(float, run.stdout.split()))]
    rows = [
        f"| {size} | {size - KEY_BYTES} | {a:.2f} | {b:.1f} | {c:.0f} | {refill:.0f} |\n"
        for size, (a, b, c, refill) in best.items()
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(HEADER + "".join(rows) + WHY)
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
