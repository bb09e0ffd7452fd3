# SPDX-License-Identifier: MIT
"""A test session leaves no temporary files and no processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import leaving
from support.places import ROOT

TESTS = {
    "ends well": "pass",
    "leaves files": "(tmp_path / 'a').touch(); tempfile.mkdtemp()",
    "leaves a child's files": "os.fork() or (tempfile.mkdtemp(), os._exit(0)); os.wait()",
    "fails": "(tmp_path / 'evidence').touch(); tempfile.mkdtemp(); assert False",
    "leaves a process": "subprocess.run(['setsid', '-f', 'sleep', '30'], stdout=-3, stderr=-3)",
}

# What stays for half a minute stays longer than that too.
PATIENCE = "from support import leaving\n\nleaving.ENDING = 0.5"


def session(body: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest with one test, with the suite's own plugins and a directory for what it leaves."""
    (directory / "tests").mkdir()
    (directory / "left").mkdir(exist_ok=True)
    test = directory / "tests" / "test_one.py"
    imports = "import os, subprocess, tempfile"
    test.write_text(f"{imports}\n\ndef test_one(tmp_path):\n    {body}\n")
    plugins = (ROOT / "tests" / "conftest.py").read_text()
    (directory / "tests" / "conftest.py").write_text(f"{plugins}\n{PATIENCE}\n")
    options = ("-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"-c{ROOT}/pyproject.toml")
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options, str(test)],
        env=os.environ | {"TMPDIR": str(directory / "left")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["ends well", "leaves files", "leaves a child's files"])
def test_no_files_stay(name: str, tmp_path: Path) -> None:
    done = session(TESTS[name], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((tmp_path / "left").iterdir())


def test_a_failed_test_s_files_stay(tmp_path: Path) -> None:
    assert session(TESTS["fails"], tmp_path).returncode == 1
    assert list((tmp_path / "left").rglob("evidence"))


def test_a_process_that_stays_is_ended_and_told(tmp_path: Path) -> None:
    done = session(TESTS["leaves a process"], tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    (told,) = (line for line in done.stdout.splitlines() if "left behind" in line)
    assert told.endswith(": sleep 30 ")
    pid = int(told.split()[3].rstrip(":"))
    patience = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and time.monotonic() < patience:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()


def test_what_killed_sessions_left_goes_and_what_others_hold_stays(tmp_path: Path) -> None:
    names = ("killed", "held", "young")
    killed, held, young = (tmp_path / "left" / f"{leaving.PREFIX}{name}" for name in names)
    for directory in (killed, held, young):
        (directory / "file").mkdir(parents=True)
    for directory in (killed, held):
        os.utime(directory, (0, 0))
    holding = leaving.hold(held)
    assert session(TESTS["ends well"], tmp_path).returncode == 0
    os.close(holding)
    assert {*(tmp_path / "left").iterdir()} == {held, young}
