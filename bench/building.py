# SPDX-License-Identifier: MIT
"""Building bench/refill.c against the library in variants, and running the variants in turn."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
ROUNDS = 7


def build(directory: Path, c_flags: str = "") -> Path:
    """Build the library with some flags; return the path of the program ``refill``."""
    configure = ["cmake", "-S", str(ROOT), "-B", str(directory), "-DVGETRANDOM_BENCH=ON"]
    configure.append(f"-DCMAKE_C_FLAGS={c_flags}")
    for command in (configure, ["cmake", "--build", str(directory), "--target", "refill"]):
        subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return directory / "bench" / "refill"


def measure(variants: dict[str, tuple[Path, dict[str, str]]]) -> dict[str, list[float]]:
    """Run programs in turn, several times over.

    Args:
        variants: A program and what it gets added to its environment, by name.

    Returns:
        The best of each program's figures, by name: nanoseconds per draw of 16, 256 and 1,024
        bytes, and of the draw that refills.
    """
    best = {name: [float("inf")] * 4 for name in variants}
    for _ in range(ROUNDS):
        for name, (program, environment) in variants.items():
            run = subprocess.run(
                [program], env=os.environ | environment, check=True, capture_output=True, text=True
            )
            figures = map(float, run.stdout.split())
            best[name] = [min(pair) for pair in zip(best[name], figures, strict=True)]
    return best


def table(columns: list[str], rows: dict[str, list[float]]) -> str:
    """Return a Markdown table of measure()'s figures."""
    head = [*columns, "16 bytes", "256 bytes", "1024 bytes", "the draw that refills"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(columns)}{'---:|' * 4}"]
    for name, (small, middle, large, refill) in rows.items():
        lines.append(f"| {name} | {small:.2f} | {middle:.1f} | {large:.0f} | {refill:.0f} |")
    return "\n".join(lines) + "\n"


def write(name: str, text: str) -> None:
    """Write one file under bench/results and show it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(text)
    print(text)
