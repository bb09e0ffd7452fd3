# SPDX-License-Identifier: MIT
"""Measure from which size on releasing the GIL is worth it; write bench/results/gil.md.

usage: python bench/gil.py        (in an environment where vgetrandom is installed)

Builds the extension module twice more: one releases the GIL for every request, one for none below
the largest size here.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

import vgetrandom
from building import ROOT, write

SIZES = (1024, 2048, 4096, 8192, 16384, 32768, 65536)
ROUNDS = 40
FOLDER = ROOT / "csrc" / "python"

TEXT = """# When the GIL is released

Microseconds for one `random_bytes_into` with the GIL kept and released; no other thread wants it.
The best of many, in turn. Measured by `python bench/gil.py`.

{table}
From 8,192 bytes on the library releases it (`csrc/python/native.c`): there the release is lost in
the time the bytes take, and below it another thread waits for a microsecond at most.
"""


def sources() -> list[str]:
    """List the files of which csrc/python/CMakeLists.txt makes the extension module."""
    found = re.search(r"add_extension\(_native ([^)]+)\)", (FOLDER / "CMakeLists.txt").read_text())
    assert found
    return [str(FOLDER / name) for name in found[1].split()]


def build(directory: Path, name: str, threshold: int) -> Callable[[bytearray], None]:
    """Build the extension module with one threshold; return its random_bytes_into."""
    library = Path(vgetrandom.get_library())
    target = directory / name / "_native.so"
    target.parent.mkdir()
    command = ["cc", "-O2", "-fPIC", "-shared", f"-DRELEASE_GIL_BYTES={threshold}"]
    command += ["-DPy_LIMITED_API=0x030B0000", f"-I{sysconfig.get_path('include')}"]
    command += [f"-I{vgetrandom.get_include()}", *sources()]
    command += [str(library), f"-Wl,-rpath,{library.parent}", "-ldl", "-o", str(target)]
    subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location("_native", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[bytearray], None] = module.random_bytes_into
    return function


def main() -> None:
    """Time both modules at every size."""
    lines = ["| bytes | kept | released | difference |", "|---:|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as temporary:
        functions = [
            build(Path(temporary), "kept", sys.maxsize),
            build(Path(temporary), "released", 0),
        ]
        for size in SIZES:
            names = {"buffer": bytearray(size), "kept": functions[0], "released": functions[1]}
            timers = [timeit.Timer(f"{name}(buffer)", globals=names) for name in list(names)[1:]]
            calls = 20_000_000 // (size + 1000)
            rounds = [[timer.timeit(calls) / calls for timer in timers] for _ in range(ROUNDS)]
            kept, released = (min(times) * 1e6 for times in zip(*rounds, strict=True))
            lines.append(f"| {size} | {kept:.3f} | {released:.3f} | {released / kept - 1:+.1%} |")
    write("gil.md", TEXT.format(table="\n".join(lines) + "\n"))


if __name__ == "__main__":
    main()
