# SPDX-License-Identifier: MIT
"""bench/c_bench.c, the benchmark of the C API, writes what the other one can compare."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from support.benchmark import ROW
from support.places import ROOT
from vgetrandom import get_include, get_library
from vgetrandom.bench import compare
from vgetrandom.bench.measure import Key


@pytest.fixture(scope="module")
def c_bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled against the installed library."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("cc is not installed")
    program = tmp_path_factory.mktemp("c") / "c_bench"
    sources = [ROOT / "bench/c_bench.c", ROOT / "bench/c_peers.c", ROOT / "csrc/vdso.c"]
    include = [f"-I{get_include()}", f"-I{ROOT / 'csrc'}"]
    library = [get_library(), f"-Wl,-rpath,{Path(get_library()).parent}", "-lm", "-ldl"]
    command = [compiler, "-O2", *map(str, sources), *include, *library, "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def test_c_bench_writes_the_same_form(c_bench: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    command = [str(c_bench), "--quick", "--json", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    run = json.loads(path.read_text())
    assert list(run) == ["machine", "results"]
    assert {tuple(row) for row in run["results"]} == {tuple(key for key in ROW if key != "call")}
    named = {row["name"] for row in run["results"]} | set(run["machine"]["absent"])
    assert named == {"vgetrandom()", "kernel vDSO", "getrandom()", "OpenSSL ChaCha20"}
    assert all(name in done.stdout for name in named)
    assert Key("C", "vgetrandom()", 16) in compare.load(path).medians


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--json"], ["--json", "/missing/c.json"]])
def test_c_bench_refuses_bad_usage(c_bench: Path, arguments: list[str]) -> None:
    done = subprocess.run([c_bench, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout
