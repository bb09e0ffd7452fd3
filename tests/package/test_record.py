# SPDX-License-Identifier: MIT
"""--record: what a run of this suite writes down of itself, and when it writes nothing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import vgetrandom
from support import recording
from support.places import ROOT
from vgetrandom.bench import machine

# Tests of this file would start themselves: another one, which takes no time, brings the options.
OTHER = "tests/package/test_documents.py::test_github_runs_what_ci_runs"

SAMPLE = """
import pytest

@pytest.fixture
def broken_before():
    raise RuntimeError

@pytest.fixture
def broken_after():
    yield
    raise RuntimeError

def test_passes(): pass
def test_fails(): assert False
def test_skips(): pytest.skip("because")
def test_has_an_error(broken_before): pass
def test_passes_and_has_an_error(broken_after): pass
"""


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the checkout, on what is in a directory and on another test."""
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        [*command, OTHER, str(directory)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "test_skipped.py").write_text("import pytest\npytest.importorskip('missing_one')")
    path = tmp_path / "record.json"
    done = run(tmp_path, "--record", str(path))
    assert done.returncode == 1, done.stdout + done.stderr
    text = path.read_text()
    record = json.loads(text)
    recording.check(record)
    (row,) = record["rows"]
    counts = {name: row[name] for name in ("passed", "failed", "skipped", "errors")}
    assert counts == {"passed": 3, "failed": 1, "skipped": 2, "errors": 2}
    assert record["how"] == f"PATH {OTHER}"
    assert record["command"] == f"pytest -q -p no:cacheprovider {OTHER} PATH"
    assert str(tmp_path) not in text
    assert str(ROOT) not in text
    info = vgetrandom.info()
    assert row["memory"] == info.memory
    assert row["chacha20"] == info.chacha20
    assert row["kernel"] == platform.release()
    assert row["interpreter"].split()[:2] == machine.interpreter().split()[:2]


def test_it_leaves_an_older_record_until_it_has_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text("def test_stops(): raise KeyboardInterrupt")
    path = tmp_path / "record.json"
    path.write_text("older")
    assert run(tmp_path, f"--record={path}").returncode == 2
    assert path.read_text() == "older"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["record.json", "test_sample.py"]


def test_a_run_that_ended_at_its_first_failure_is_none(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text("def test_one(): assert 0\ndef test_two(): pass")
    path = tmp_path / "record.json"
    assert run(tmp_path, "-x", f"--record={path}").returncode == 1
    assert not path.exists()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = run(tmp_path, "--record", str(tmp_path / "missing" / "record.json"))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--record: cannot write in" in done.stderr


OPTIONS = {"quick": False, "keyword": "", "markexpr": "", "ignore": None, "ignore_glob": None}


def called(*arguments: str, directory: Path = ROOT, **options: Any) -> pytest.Config:
    """What pytest makes of some arguments, as far as it is looked at here."""
    config = SimpleNamespace(
        args=list(arguments) or ["tests"],
        invocation_params=SimpleNamespace(dir=directory, args=arguments),
        option=SimpleNamespace(**(OPTIONS | {"deselect": None} | options)),
    )
    return cast("pytest.Config", config)


@pytest.mark.parametrize(
    ("config", "deselected", "how"),
    [
        (called(), 0, "whole suite"),
        (called("tests/"), 0, "whole suite"),
        (called(str(ROOT / "tests")), 0, "whole suite"),
        (called("core", "python", directory=ROOT / "tests"), 0, "tests/core tests/python"),
        (called("tests/core", "tests/cli/test_run.py::test_it"), 0, None),
        (called(".", directory=ROOT / "tests/core"), 0, "tests/core"),
        (called("/elsewhere/test_it.py"), 0, "PATH"),
        (called("../other/tests"), 0, "PATH"),
        (called(quick=True), 0, "whole suite, quick"),
        (called(keyword="fork and not raw"), 9, "whole suite, -k 'fork and not raw'"),
        (called(markexpr="new_thread"), 9, "whole suite, -m 'new_thread'"),
        (called(ignore=[str(ROOT / "tests/vm")]), 0, "whole suite, without tests/vm"),
        (called(deselect=["tests/vm/test_vm.py"]), 9, "whole suite, without tests/vm/test_vm.py"),
        (called(), 9, "whole suite, a selection"),  # --last-failed, say
    ],
)
def test_which_part_it_was(config: pytest.Config, deselected: int, how: str | None) -> None:
    expected = " ".join(sorted(config.args)) if how is None else how
    assert recording.part(config, deselected) == expected


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ((), "pytest"),
        (("--record", "/elsewhere/a.json", "-q"), "pytest -q"),
        (("-q", "--record=/elsewhere/a.json"), "pytest -q"),
        ((f"--ignore={ROOT}/tests/vm", "tests/core"), "pytest --ignore=tests/vm tests/core"),
        (
            ("--basetemp", "/elsewhere", "--junitxml=../a.xml"),
            "pytest --basetemp PATH --junitxml=PATH",
        ),
        (("-k", "fork and not raw"), "pytest -k 'fork and not raw'"),
    ],
)
def test_the_command_has_nothing_of_this_machine(arguments: tuple[str, ...], command: str) -> None:
    assert recording.command(called(*arguments)) == command


def test_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGETRANDOM_VDSO", "off")
    monkeypatch.setenv("VGETRANDOM_TESTS_BUILT", "/elsewhere")
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    monkeypatch.setattr("resource.getrlimit", lambda _which: (8 << 30, 8 << 30))
    assert recording.setting() == ("not as root, addresses limited to 8 GiB, VGETRANDOM_VDSO=off")


def test_compiler(tmp_path: Path) -> None:
    library = tmp_path / "library.so"
    by_gcc = b"\0GCC: (Debian 12.2.0-14+deb12u1) 12.2.0\0"
    library.write_bytes(b"\x7fELF" + by_gcc)
    assert recording.compiler_of(library) == "gcc 12.2.0"
    library.write_bytes(b"\x7fELF" + by_gcc + b"Debian clang version 19.1.7 (3)\0")
    assert recording.compiler_of(library) == "clang 19.1.7"
    library.write_bytes(b"\x7fELF")
    assert recording.compiler_of(library) == "unknown"


def good() -> dict[str, Any]:
    row = {name: kind() for name, kind in recording.FIELDS.items()}
    return {"command": "make", "date": "2026-01-01", "how": "all", "rows": [row]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"command": "make -C /elsewhere"}, "path"),
        ({"how": "in ~/there"}, "path"),
        ({"rows": []}, "rows"),
        ({"rows": [{"kernel": "6.1"}]}, "missing"),
        ({"rows": [good()["rows"][0] | {"passed": "3"}]}, "passed"),
        ({"rows": [good()["rows"][0] | {"host": "mine"}]}, "host"),
        ({"rows": [good()["rows"][0] | {"result": "in '/elsewhere/a'"}]}, "path"),
        ({"date": "yesterday"}, "isoformat"),
    ],
)
def test_what_is_no_record(change: dict[str, Any], why: str) -> None:
    recording.check(good())
    with pytest.raises(ValueError, match=why):
        recording.check(good() | change)
