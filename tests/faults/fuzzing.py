# SPDX-License-Identifier: MIT
"""Fuzz for some seconds: ``python -m faults.fuzzing [SECONDS]`` in the tests' directory."""

from __future__ import annotations

import subprocess
import sys

from . import cores

SOURCES = ("faults/fuzz.c", "faults/fuzz_model.c")
# At -O2 clang takes ten times as long to compile what it has inserted.
FUZZER = ("-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")


def main() -> int:
    """Return libFuzzer's exit status; it says how to reproduce what it found."""
    program = cores.linked_program(SOURCES, cores.Build(options=FUZZER, compiler="clang"))
    corpus = cores.BUILD / "corpus"
    corpus.mkdir(exist_ok=True)
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    return subprocess.run(
        [
            program,
            f"-max_total_time={seconds}",
            "-max_len=512",
            "-len_control=0",
            "-print_final_stats=1",
            f"-artifact_prefix={cores.BUILD}/",
            corpus,
        ],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
