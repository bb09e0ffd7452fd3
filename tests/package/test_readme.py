# SPDX-License-Identifier: MIT
"""The README's examples do what it says."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_examples() -> None:
    # Errors have the interpreter's own words, and those of 3.15 are others.
    flags = doctest.IGNORE_EXCEPTION_DETAIL if sys.version_info >= (3, 15) else 0
    failed, tried = doctest.testfile(str(README), module_relative=False, optionflags=flags)
    assert tried > 5
    assert failed == 0


PROGRAM = """
#include <vgetrandom.h>
#include <stdio.h>

int main(void)
{
    unsigned char token[16];

    return vgetrandom(token, sizeof(token), 0) == sizeof(token) ? puts("drawn") < 0 : 1;
}
"""


def test_the_cc_line_gives_a_program_that_starts(tmp_path: Path) -> None:
    """Pasted into a shell as it stands, in a directory with a program.c."""
    if shutil.which("cc") is None:
        pytest.skip("cc is not installed")
    found = re.search(r"^```sh\n(cc .*?)```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    (tmp_path / "program.c").write_text(PROGRAM)
    # The README's python is this one.
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", found[1]], cwd=tmp_path, env=environment, check=True)
    done = subprocess.run([tmp_path / "a.out"], env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "drawn\n", "")
