"""The whole sweep: ``python -m faults`` in the tests' directory.

Minutes. The representative part of it is tests/test_faults.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from . import cores, defects, kinds, sweep
from .injector import FAULTS, Injector, Kind, Outcome, Sizes

# Of longer draws, each instruction's first and last so many executions.
ALL_BELOW = 20_000
EXECUTIONS = 2
PAIRS = 3000
EVERY_FAULT = "".join(FAULTS)
LIMITS = (
    ("VGETRANDOM_CHACHA20", "portable", EVERY_FAULT),
    ("VGETRANDOM_CHACHA20", "sse2", EVERY_FAULT),
    ("VGETRANDOM_CHACHA20", "avx2", EVERY_FAULT),
    ("VGETRANDOM_CHACHA20", "avx512", EVERY_FAULT),
    ("VGETRANDOM_MEMORY", "wipe-on-fork", EVERY_FAULT),
    ("VGETRANDOM_WATCH", "off", EVERY_FAULT.replace("G", "")),  # what is not watched goes unnoticed
)


def _row(*cells: object) -> None:
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


def _tell(tally: sweep.Tally, name: str, started: float) -> int:
    drops = {
        outcome: tally.outcomes["D", outcome.name]
        for outcome in (Outcome.DONE, Outcome.PAGE_WRITTEN)
    }
    dropped = "/".join(f"{count:,}" for count in drops.values())
    seconds = f"{time.monotonic() - started:.0f} s"
    _row(
        tally.kind,
        name,
        f"{tally.instructions:,}",
        f"{tally.points:,}",
        f"{tally.runs:,}",
        dropped,
        tally.violating_runs,
        seconds,
    )
    for violation in tally.violations[:10]:
        print(violation, file=sys.stderr)
    return tally.violating_runs


def _sweep(kind: Kind, sizes: Sizes, pair_count: int, seed: int) -> int:
    library = cores.build()
    started = time.monotonic()
    with Injector(library, kind, sizes) as injector:
        count = len(injector.instructions)
        places = sweep.executions(injector.instructions, None if count < ALL_BELOW else EXECUTIONS)
        tally = sweep.judge(injector, list(sweep.singles(places)), sizes)
    violating = _tell(tally, "each by itself", started)
    started = time.monotonic()
    with Injector(library, kind, sizes) as injector:
        tally = sweep.judge(injector, sweep.pairs(places, pair_count, seed), sizes)
    return violating + _tell(tally, f"pairs, seed {seed}", started)


def _sweep_limits(kind: Kind, sizes: Sizes) -> int:
    """Inject within the environment's limits, at each instruction's first and last execution."""
    violating = 0
    for name, value, faults in LIMITS:
        started = time.monotonic()
        environment = os.environ | {name: value}
        with Injector(cores.build(), kind, sizes, environment) as injector:
            places = sweep.executions(injector.instructions, 1)
            tally = sweep.judge(injector, list(sweep.singles(places, faults)), sizes)
        violating += _tell(tally, f"each by itself, {name}={value}", started)
    return violating


def main() -> int:
    """Sweep; return 1 where there was a violation or a defect was missed."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="runs with two faults, per draw")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs")
    args = parser.parse_args()
    sizes = kinds.sizes(cores.build())
    print("Faults:", ", ".join(FAULTS.values()))
    _row("draw", "faults", "instructions", "points", "runs", "drops/writes", "violations", "time")
    _row(*["---"] * 8)
    violating = 0
    for kind in kinds.kinds(sizes).values():
        violating += _sweep(kind, sizes, args.pairs, args.seed)
    violating += _sweep_limits(kinds.kinds(sizes)["refilling"], sizes)
    print()
    _row("defect", "draw", "fault", "caught")
    _row(*["---"] * 4)
    missed = 0
    for seeded in defects.SEEDED:
        library = cores.build(seeded.defect)
        for fault in seeded.faults:
            tally = sweep.caught(library, kinds.kinds(sizes)[seeded.kind], [fault], sizes)
            missed += not tally.violating_runs
            _row(
                seeded.defect.name,
                seeded.kind,
                fault,
                f"in run {tally.runs}" if tally.violating_runs else "no",
            )
    return int(violating > 0 or missed > 0)


if __name__ == "__main__":
    sys.exit(main())
