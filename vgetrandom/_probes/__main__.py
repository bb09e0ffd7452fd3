"""Run every probe and write one JSON row a line; `doctor` reads them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from vgetrandom._probes import PROBES, prober, secrecy


def main() -> None:
    """Run them in order."""
    secrecy.thorough = "--thorough" in sys.argv
    for each in PROBES:
        print(json.dumps(asdict(prober.run_one(each))), flush=True)


if __name__ == "__main__":
    main()
