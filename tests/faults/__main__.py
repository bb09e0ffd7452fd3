# SPDX-License-Identifier: MIT
"""The sweep: ``python -m faults`` in the tests' directory.

Minutes; with --every-execution about an hour. The representative part is
tests/faults/test_faults.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass

from support.libraries import chacha20_sets

from . import cores, defects, sweep, targets
from .injector import Injector, Outcome, Sizes, Target
from .kinds import KINDS, LETTERS

# Of each instruction in longer draws, the first and the last so many executions.
ALL_BELOW = 20_000
EXECUTIONS = 2
PAIRS = 3000
# A reseed of the kernel goes unnoticed without the watch.
UNWATCHED = "".join(kind.letter for kind in KINDS if not kind.reseeds_kernel)
LIMITS = (
    *(("VGETRANDOM_CHACHA20", name, LETTERS) for name in chacha20_sets(supported=True)),
    ("VGETRANDOM_MEMORY", "wipe-on-fork", LETTERS),
    ("VGETRANDOM_WATCH", "off", UNWATCHED),
)


def _row(*cells: object) -> None:
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def _tell(tally: sweep.Tally, name: str, started: float) -> int:
    drops = {
        outcome: sum(tally.outcomes[kind.letter, outcome.name] for kind in KINDS if kind.drops)
        for outcome in (Outcome.DONE, Outcome.PAGE_WRITTEN)
    }
    dropped = "/".join(f"{count:,}" for count in drops.values())
    _row(
        tally.target,
        name,
        f"{tally.instructions:,}",
        f"{len(tally.places):,}",
        f"{tally.runs:,}",
        dropped,
        tally.violating_runs,
        f"{time.monotonic() - started:.0f} s",
    )
    for violation in tally.violations[:10]:
        print(violation, file=sys.stderr)
    return tally.violating_runs


@dataclass(frozen=True)
class Sweep:
    """What all of it is done with; each part returns how many runs violated a rule."""

    workers: sweep.Workers
    sizes: Sizes
    every_execution: bool
    pairs: int
    seed: int

    def _places(self, target: Target, most: int | None) -> list[int]:
        with Injector(cores.build(), target, self.sizes) as injector:
            return sweep.executions(injector.trace.instructions, most)

    def draw(self, target: Target) -> int:
        """Inject every fault into a draw, one and two at a time."""
        library = cores.build()
        started = time.monotonic()
        places = self._places(target, None)
        if len(places) >= ALL_BELOW and not self.every_execution:
            places = self._places(target, EXECUTIONS)
        runs = list(sweep.singles(places))
        violating = _tell(
            self.workers.judge(library, target, self.sizes, runs), "each by itself", started
        )
        started = time.monotonic()
        runs = sweep.pairs(self._places(target, EXECUTIONS), self.pairs, self.seed)
        tally = self.workers.judge(library, target, self.sizes, runs)
        return violating + _tell(tally, f"pairs, seed {self.seed}", started)

    def limits(self, target: Target) -> int:
        """Inject within each limit, at each instruction's first and last execution."""
        violating = 0
        for name, value, faults in LIMITS:
            started = time.monotonic()
            environment = os.environ | {name: value}
            with Injector(cores.build(), target, self.sizes, environment) as injector:
                places = sweep.executions(injector.trace.instructions, 1)
            runs = list(sweep.singles(places, faults))
            tally = self.workers.judge(cores.build(), target, self.sizes, runs, environment)
            violating += _tell(tally, f"each by itself, {name}={value}", started)
        return violating


def _caught(tally: sweep.Tally) -> str:
    if not tally.violating_runs:
        return "no"
    return f"in run {tally.runs}" if tally.runs else "without any: its last look is too early"


def _miss(sizes: Sizes) -> int:
    """Return how many of the seeded defects are not caught."""
    _row("defect", "draw", "fault", "caught")
    _row(*["---"] * 4)
    missed = 0
    for seeded in defects.SEEDED:
        library = cores.build(seeded.defect)
        for fault in seeded.faults:
            tally = sweep.caught(library, targets.targets(sizes)[seeded.target], [fault], sizes)
            missed += not tally.violating_runs
            _row(
                seeded.defect.name,
                seeded.target,
                fault,
                _caught(tally),
            )
    return missed


def main() -> int:
    """Sweep; return 1 where there was a violation or a defect was missed."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument(
        "--every-execution",
        action="store_true",
        help="of long draws too, not only each instruction's first and last executions",
    )
    parser.add_argument("--pairs", type=int, default=PAIRS, help="runs with two faults, per draw")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs")
    args = parser.parse_args()
    sizes = targets.sizes(cores.build())
    print("Faults:", ", ".join(kind.name for kind in KINDS))
    _row("draw", "faults", "instructions", "points", "runs", "drops/writes", "violations", "time")
    _row(*["---"] * 8)
    with sweep.Workers() as workers:
        whole = Sweep(workers, sizes, args.every_execution, args.pairs, args.seed)
        violating = sum(whole.draw(target) for target in targets.targets(sizes).values())
        violating += whole.limits(targets.targets(sizes)["refilling"])
    print()
    missed = _miss(sizes)
    return int(violating > 0 or missed > 0)


if __name__ == "__main__":
    sys.exit(main())
