# SPDX-License-Identifier: MIT
"""`vgetrandom bench`, mostly through its command line, and what its parts promise."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vgetrandom import _peers, get_include, get_library
from vgetrandom.bench import compare, groups, machine, measure, peers, plot, reach, report, table
from vgetrandom.bench.groups import GROUPS
from vgetrandom.bench.measure import QUICK, Key, Result, Run, plan
from vgetrandom.bench.peers import NEW_BYTES, Call, Function, Peer
from vgetrandom.bench.table import Table

COMMAND = (sys.executable, "-m", "vgetrandom", "bench")
# The group with the fewest peers to import.
SHORT = ("--quick", "--groups", "fill", "--sizes", "16")
TINY = replace(QUICK, samples=3, seconds=1e-4)
ROOT = Path(__file__).resolve().parents[2]
ROW = ["group", "name", "size", "call", "unit", "median", "min", "stddev", "samples"]


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            # Not the checkout, whose package is not built.
            cwd=tmp_path,
            env=os.environ | environment,
        )

    return run


@pytest.fixture
def without(tmp_path: Path) -> Any:
    """Makes modules look as if they were not installed; the environment to run with."""

    def hide(*names: str) -> dict[str, str]:
        folder = tmp_path / "hidden"
        folder.mkdir()
        for name in names:
            (folder / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
        return {"PYTHONPATH": str(folder)}

    return hide


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of every group, at one size."""
    folder = tmp_path_factory.mktemp("whole")
    command = [*COMMAND, "--quick", "--sizes", "16", "--json", "all.json"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True, timeout=120)
    document: dict[str, Any] = json.loads((folder / "all.json").read_text())
    return document


def measured(names: list[str]) -> Run:
    run = Run()
    measure.measure(plan(names, [16], TINY), TINY, run, lambda _done, _step: None)
    return run


# --- what is measured ---


def test_json_has_the_promised_form(whole: dict[str, Any]) -> None:
    assert list(whole) == ["machine", "results"]
    for row in whole["results"]:
        assert list(row) == ROW
        assert row["unit"] == "ns"
        assert row["size"] == (0 if row["call"] else 16)
        assert 0 < row["min"] <= row["median"]
        assert row["stddev"] >= 0
        assert row["samples"]
        assert min(row["samples"]) == row["min"]
    keys = [(row["group"], row["name"], row["size"], row["call"]) for row in whole["results"]]
    assert len(set(keys)) == len(keys)


def test_every_group_is_measured(whole: dict[str, Any]) -> None:
    assert {row["group"] for row in whole["results"]} == {group.name for group in GROUPS}


def test_every_peer_has_a_row_or_is_named_absent(whole: dict[str, Any]) -> None:
    named = {row["name"] for row in whole["results"]} | set(whole["machine"]["absent"])
    peers = {peer.name for group in GROUPS for each in group.functions for peer in each.peers}
    assert peers <= named


def test_latency_shows_the_distribution_and_the_refill(whole: dict[str, Any]) -> None:
    medians = {row["name"]: row["median"] for row in whole["results"] if row["group"] == "latency"}
    shown = [medians[f"random_bytes, {case}"] for case in ("median", "p99", "p99.9", "worst")]
    assert shown == sorted(shown)
    assert "random_bytes, refill" in medians


def test_first_use_has_every_event_or_says_why_not(whole: dict[str, Any]) -> None:
    names = {row["name"] for row in whole["results"] if row["group"] == "first-use"}
    for event in ("fresh process", "fresh thread", "after fork", "after a drop"):
        absent = f"first-use, {event}" in whole["machine"]["absent"]
        assert absent != (f"random_bytes, {event}" in names)


def test_threads_go_up_to_the_cores(whole: dict[str, Any]) -> None:
    cores = len(os.sched_getaffinity(0))
    names = {row["name"] for row in whole["results"] if row["group"] == "threads"}
    assert "os.urandom, 1 thread" in names
    assert f"os.urandom, {cores} thread{'s' * (cores > 1)}" in names


def test_machine_describes_what_moves_the_numbers(whole: dict[str, Any]) -> None:
    machine = whole["machine"]
    assert machine["complete"] is True
    assert machine["command"] == "vgetrandom bench --quick --sizes 16"
    assert machine["getrandom"]["os.urandom"]
    assert machine["vgetrandom"]["chacha20"]
    assert {"cpu", "cores", "kernel", "libc", "python", "mitigations", "date"} <= set(machine)


def test_an_interpreter_without_some_of_os(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyPy 8 has no os.getrandom, older ones no os.sched_getaffinity either.
    monkeypatch.delattr(os, "getrandom")
    monkeypatch.delattr(os, "sched_getaffinity")
    described = machine.describe()
    assert described["cores"] == os.cpu_count()
    assert list(described["getrandom"]) == ["os.urandom"]
    (peer,) = (peer for peer in peers.NEW_BYTES if peer.name == "os.getrandom")
    with pytest.raises(peers.AbsentError, match=r"no os\.getrandom"):
        peer.bind(16)


# --- how this interpreter reaches getrandom ---


def test_a_system_call_is_told_from_the_vdso() -> None:
    assert reach.how(os.getrandom) == "system call"
    if not _peers.vdso_available():
        pytest.skip("no vDSO getrandom was found in this process")
    assert reach.how(_peers.vdso_bytes) == "vDSO"


# --- the kernel's vDSO, called directly ---


@pytest.mark.skipif(
    not _peers.vdso_available(), reason="no vDSO getrandom was found in this process"
)
class TestKernelVdso:
    """The extension module that only the benchmark uses."""

    def test_gives_new_bytes(self) -> None:
        assert _peers.vdso_bytes(0) == b""
        assert len({_peers.vdso_bytes(16) for _ in range(1000)}) == 1000

    def test_fills_a_buffer(self) -> None:
        buffer = bytearray(1 << 20)
        _peers.vdso_bytes_into(buffer)
        assert buffer.count(0) < 1 << 13

    @pytest.mark.parametrize(
        ("size", "error"), [(-1, ValueError), (1.0, TypeError), (2**63, OverflowError)]
    )
    def test_refuses_a_bad_size(self, size: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            _peers.vdso_bytes(size)

    def test_refuses_a_read_only_buffer(self) -> None:
        with pytest.raises(BufferError):
            _peers.vdso_bytes_into(b"read-only")


# --- one entry adds a peer, a function or a group ---

COUNT = Function(
    "count(b'x')",
    (
        Peer("bytes", lambda _size: Call(b"xyz".count, (b"x",))),
        Peer("vgetrandom's", lambda _size: Call(bytearray(b"xyz").count, (b"x",))),
    ),
)


def with_groups(monkeypatch: pytest.MonkeyPatch, *mine: groups.Group) -> None:
    monkeypatch.setattr(measure, "GROUPS", mine)
    monkeypatch.setattr(report, "GROUPS", mine)


def test_a_new_peer_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Peer("mine", lambda size: Call(bytes, (size,)))
    group = replace(GROUPS[0], functions=(Function("", (*NEW_BYTES, mine)),))
    with_groups(monkeypatch, group)
    assert Key("bytes", "mine", 16) in measured(["bytes"]).samples


def test_a_new_group_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = groups.Group("mine", "of mine", GROUPS[0].functions, sizes=(16,), quick_sizes=(16,))
    with_groups(monkeypatch, mine)
    run = measured(["mine"])
    assert Key("mine", "os.urandom", 16) in run.samples
    assert [made.title for made in report.tables(run.results())] == ["mine: of mine"]


def test_a_row_may_time_any_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = groups.Group("mine", "of mine", (COUNT,), baseline="bytes")
    with_groups(monkeypatch, mine)
    # --sizes are for groups that have sizes.
    assert [step.label for step in plan(["mine"], [16, 32], TINY)] == ["mine, count(b'x')"]
    run = measured(["mine"])
    keys = [Key("mine", peer.name, 0, "count(b'x')") for peer in COUNT.peers]
    assert list(run.samples) == keys
    (made,) = report.tables(run.results())
    assert made.columns == ("<call", "<", "ns", "±", "x bytes")
    assert [row[:2] for row in made.rows] == [("count(b'x')", "bytes"), ("", "vgetrandom's")]
    assert made.rows[0][-1] == "1.00"
    assert made.strong == {1}
    report.write_json(tmp_path / "run.json", {}, run.results())
    old = compare.load(tmp_path / "run.json")
    assert list(old.medians) == keys
    assert [row[1] for row in compare.table(old, run.results()).rows] == ["count(b'x')"] * 2


def test_a_worker_finds_every_step_again() -> None:
    # It is told group and label; both must say what was meant.
    labels = [(group.name, each.label) for group in GROUPS for each in group.functions]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_names_tell_rows_apart(group: groups.Group) -> None:
    for function in group.functions:
        names = [peer.name for peer in function.peers]
        assert len(set(names)) == len(names)
        assert group.baseline in names
        # A comma separates the case.
        assert not [name for name in names if "," in name]


def test_absent_peers_are_named(bench: Any, without: Any) -> None:
    short = ("--quick", "--groups", "bytes", "--sizes", "16")
    done = bench(*short, **without("cryptography", "nacl"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"absent +cryptography ChaCha20: no cryptography here", done.stdout)
    assert re.search(r"absent +PyNaCl: no nacl here", done.stdout)


# --- output ---


def test_plain_tables_are_aligned() -> None:
    made = Table("title", ("n", "<name"), [("1", "a"), ("1000", "bb")], sections={0, 1})
    assert table.plain(made) == (
        "title\n   n  name\n----  ----\n   1  a\n\n1000  bb\n"  # a blank line parts sections
    )


@pytest.mark.parametrize("through", ["rich", "plain"])
def test_tables_are_aligned_with_rich_and_without(bench: Any, without: Any, through: str) -> None:
    if through == "rich":
        pytest.importorskip("rich")
    done = bench(*SHORT, COLUMNS="20", **({} if through == "rich" else without("rich")))
    assert done.returncode == 0, done.stderr
    rows = [line.rstrip() for line in done.stdout.splitlines() if re.search(r"\d%", line)]
    assert len(rows) >= 4
    assert len({len(row) for row in rows}) == 1
    assert any("os.urandom" in row and row.endswith("1.00") for row in rows)
    assert "…" not in done.stdout


def test_markdown_is_a_table(bench: Any) -> None:
    lines = bench(*SHORT, "--markdown").stdout.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == "| bytes |  | ns | ± | GB/s | x os.urandom |"
    assert rows[1] == "| --: | :-- | --: | --: | --: | --: |"
    assert {row.count("|") for row in rows} == {7}


def test_csv_holds_the_same_rows_as_json(bench: Any, tmp_path: Path) -> None:
    done = bench(*SHORT, "--csv", "run.csv", "--json", "run.json")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert list(rows[0]) == ROW
    assert [float(row["median"]) for row in rows] == [row["median"] for row in results]
    assert [float(ns) for ns in rows[0]["samples"].split()] == results[0]["samples"]


@pytest.mark.parametrize("suffix", plot.FORMATS)
def test_figure(bench: Any, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    figure = tmp_path / f"figure{suffix}"
    done = bench(*SHORT, "32", "--plot", figure, "--json", "run.json")
    assert done.returncode == 0, done.stderr
    start = {".svg": b"<?xml", ".png": b"\x89PNG"}[suffix]
    assert figure.read_bytes().startswith(start)
    if suffix == ".svg":
        results = json.loads((tmp_path / "run.json").read_text())["results"]
        assert plot.digest(results) in figure.read_text()


# --- bad usage: a clear message, status 2, and nothing measured ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "0"], "'0' is not a number of bytes from 1 to"),
        (["--sizes", "-1"], "--sizes"),
        (["--sizes", "x"], "'x' is not a number of bytes"),
        (["--sizes", str(groups.MAX_SIZE + 1)], "is not a number of bytes"),
        (["--groups", "nonsense"], "invalid choice: 'nonsense'"),
        (["--quick", "--rigorous"], "not allowed with"),
        (["--plot", "figure.gif"], "must end in .svg or .png"),
        (["--fail-above", "x", "--compare", "a"], "'x' is not a percentage"),
        (["--fail-above", "nan", "--compare", "a"], "'nan' is not a percentage"),
        (["--fail-above", "5"], "--fail-above needs --compare"),
        (["--compare", "missing.json"], "cannot read missing.json: No such file"),
        (["--json", "missing/run.json"], "cannot write missing/run.json: No such file"),
        (["--csv", "."], "cannot write .: Is a directory"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_arguments(bench: Any, arguments: list[str], message: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_figure_needs_a_group_that_has_one(bench: Any) -> None:
    pytest.importorskip("matplotlib")
    done = bench("--groups", "latency", "--plot", "figure.svg")
    assert done.returncode == 2
    assert "needs one of the groups bytes, fill" in done.stderr


def test_a_figure_needs_matplotlib(bench: Any, without: Any) -> None:
    done = bench(*SHORT, "--plot", "figure.svg", **without("matplotlib"))
    assert done.returncode == 2
    assert "pip install" in done.stderr


def test_checking_a_file_leaves_no_trace(bench: Any, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("kept")
    done = bench("--json", "new.json", "--csv", kept, "--compare", "missing.json")
    assert done.returncode == 2
    assert not (tmp_path / "new.json").exists()
    assert kept.read_text() == "kept"


def test_a_full_disk_does_not_lose_the_table(bench: Any) -> None:
    done = bench(*SHORT, "--json", "/dev/full")
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "os.urandom" in done.stdout


# --- a run beside an older one ---


@pytest.fixture
def older(whole: dict[str, Any], tmp_path: Path) -> Any:
    def write(factor: float, group: str = "fill") -> Path:
        rows = [
            row | {"median": row["median"] * factor, "group": group} for row in whole["results"]
        ]
        path = tmp_path / "older.json"
        path.write_text(json.dumps(whole | {"results": rows}))
        return path

    return write


def test_compare_shows_each_change(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(1000), "--fail-above", "50")
    assert done.returncode == 0, done.stderr
    assert re.search(r"os\.urandom +[\d,]+.* +[\d,.]+ +-(99|100)\.\d %", done.stdout)


def test_a_slower_row_fails(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(0.001), "--fail-above", "50")
    assert done.returncode == 1
    assert "slower: fill 16 os.urandom" in done.stderr


def test_a_slower_row_is_only_shown_where_no_limit_is_set(bench: Any, older: Any) -> None:
    assert bench(*SHORT, "--compare", older(0.001)).returncode == 0


def test_a_limit_on_nothing_is_bad_usage(bench: Any, older: Any) -> None:
    done = bench(*SHORT, "--compare", older(1, group="other"), "--fail-above", "50")
    assert done.returncode == 2
    assert "no row in common" in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": {}, "results": [{}]}'])
def test_a_file_that_is_no_run_is_refused(bench: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "old.json").write_text(text)
    done = bench("--compare", "old.json")
    assert done.returncode == 2
    assert "not a run that --json wrote" in done.stderr


def test_rows_of_one_run_only_are_named() -> None:
    old = compare.Old({}, {Key("bytes", "gone", 16): 1.0, Key("bytes", "both", 16): 50.0})
    new = [Result(Key("bytes", name, 16), (ns,)) for name, ns in (("new", 1.0), ("both", 100.0))]
    made = compare.table(old, new)
    changes = {row[2]: row[-1] for row in made.rows}
    assert changes == {"new": "only new", "both": "+100.0 %", "gone": "only old"}


# --- Ctrl-C and progress ---


def test_ctrl_c_prints_what_there_is(tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    command = [*COMMAND, "--groups", "bytes", "--json", "run.json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=stderr) as process:
        os.close(stderr)
        told = b""
        # Progress is shown, since standard error is a terminal; the second size has begun.
        while b"[2/13] bytes, 8 bytes" not in told:
            told += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.stdout
        stdout = process.stdout.read().decode()
        assert process.wait(60) == 130
    os.close(terminal)
    assert re.search(r" 1 +random_bytes ", stdout)
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["machine"]["complete"] is False
    assert {row["size"] for row in run["results"]} >= {1}


def test_no_progress_where_nobody_looks(bench: Any) -> None:
    assert "[1/" not in bench(*SHORT).stderr


# --- bench/c_bench.c ---


@pytest.fixture(scope="module")
def c_bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("c") / "c_bench"
    sources = [ROOT / "bench/c_bench.c", ROOT / "csrc/vdso.c"]
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
