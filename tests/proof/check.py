# SPDX-License-Identifier: MIT
"""Running spin on the model."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CSRC = Path(__file__).resolve().parents[2] / "csrc"
MODEL = CSRC / "draw.pml"
ORDER = CSRC / "additional.pml"
TOOLS = ("spin", "cc")
QUICK_EVENTS = 4


@dataclass(frozen=True)
class Bounds:
    """How many draws, besides those of handlers, and how many events to try in every order.

    With `bytes_given`, one of the events may be a call that gives reseed() bytes.
    """

    draws: int
    events: int
    bytes_given: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the search has shown."""

    violation: str  # empty where there is none
    states: int
    complete: bool


# Mistakes in the model: name, and texts with what replaces them.
DEFECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "busy flag never set": (("out = true;", "skip;"),),
    "busy flag in the page": (("available = 0\n}", "available = 0; out = false\n}"),),
    "generation written after the key": (
        ("available = 0;\n\t\tat[f] = STAMP_READ", "available = 0;\n\t\tat[f] = FETCH"),
        ("generation = seen[f];\n\t\tat[f] = FETCH", "generation = seen[f];\n\t\tat[f] = POSITION"),
        ("new_key(key);\n\t\tat[f] = ADD", "new_key(key);\n\t\tat[f] = STAMP_READ"),
    ),
    "final check removed": (
        (":: seen[f] == watched ->\n\t\t\tgive_output", ":: true ->\n\t\t\tgive_output"),
    ),
    "final check on a copy": (("seen[f] = generation;\n\t\ttold[f]", "told[f]"),),
    "batch kept over a reseed": (("available = 0;\n\t\tat[f] = STAMP_READ", "at[f] = STAMP_READ"),),
    "bytes left out": ((":: key != 0 -> has[key] = given\n", ":: key != 0\n"),),
    "state marked before the bytes are given": (
        (
            "BYTES && !given -> events++; given",
            "BYTES && !marked -> events++; generation = REQUESTED; marked",
        ),
        ("given && !marked -> generation = REQUESTED; marked", "marked && !given -> given"),
    ),
    "position not advanced": (("available = left[f] - 1;", "skip;"),),
}


# Mistakes in the order of memory accesses: each alone must show.
ORDER_DEFECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "no fence between the bytes and the marks": (("FENCED(word0 && word1)", "true"),),
    "no fence between the bytes' first word and the marks": (
        ("FENCED(word0 && word1)", "FENCED(word1)"),
    ),
    "no barrier between the generation and the bytes": (
        ("!read0 && FENCED(claimed) && FENCED(stored)", "!read0 && FENCED(claimed)"),
        ("!read1 && FENCED(claimed) && FENCED(stored)", "!read1 && FENCED(claimed)"),
    ),
    "no barrier between the claim and the bytes": (
        ("!read0 && FENCED(claimed) && FENCED(stored)", "!read0 && FENCED(stored)"),
        ("!read1 && FENCED(claimed) && FENCED(stored)", "!read1 && FENCED(stored)"),
    ),
    "no barrier between the watched generation and the key": (
        ("!fetched && FENCED(loaded)", "!fetched"),
    ),
    "the kernel's generation before its key": (
        ("kernel_key = 2;\n\twatched = 2;", "watched = 2;\n\tkernel_key = 2;"),
    ),
}


def defective(name: str, model: Path = MODEL) -> str:
    """Return a model with one mistake in it."""
    text = model.read_text()
    for old, new in (DEFECTS if model == MODEL else ORDER_DEFECTS)[name]:
        if text.count(old) != 1:
            message = f"{name}: {model.name} has changed, seed the defect anew"
            raise RuntimeError(message)
        text = text.replace(old, new)
    return text


def check(model: str, bounds: Bounds = Bounds(0, 0)) -> Verdict:
    """Try everything, within the bounds where the model takes any."""
    with tempfile.TemporaryDirectory() as directory:

        def run(*command: str) -> str:
            return subprocess.run(
                command, cwd=directory, check=True, capture_output=True, text=True
            ).stdout

        Path(directory, "model.pml").write_text(model)
        sizes = (bounds.draws, bounds.events, int(bounds.bytes_given))
        names = ("DRAWS", "EVENTS", "BYTES")
        options = [f"-D{name}={size}" for name, size in zip(names, sizes, strict=True)]
        run("spin", *options, "-a", "model.pml")
        # The generated C is not ours to keep clean of warnings.
        optimise = "-O2" if bounds.events > QUICK_EVENTS else "-O0"  # compiling takes time too
        run("cc", "-w", optimise, "-DSAFETY", "-DCOLLAPSE", "-DNOREDUCE", "-o", "pan", "pan.c")
        report = run("./pan", "-m100000", "-n")
    violation = re.search(r"assertion violated (.*) \(at depth", report)
    states = re.search(r"(\d+) states, stored", report)
    assert states, report
    return Verdict(
        violation[1] if violation else "",
        int(states[1]),
        "errors: 0" in report and "Search not completed" not in report,
    )
