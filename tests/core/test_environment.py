# SPDX-License-Identifier: MIT
"""The environment is read once, when the library is loaded, and never again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support import libraries, programs
from support.conditions import VARIABLES, without_limits

LIMITS = {
    "VGETRANDOM_MEMORY": "none",
    "VGETRANDOM_CHACHA20": "portable",
}

# The first draw comes before any constructor has run, or from main(); see tests/c/environment.c,
# where whoever reads the environment after the start is killed.
whens = pytest.mark.parametrize("when", ["early", "late"])


def told(*arguments: str, **variables: str) -> dict[str, list[str]]:
    """What a program says of its draws which was started with these variables."""
    environment = without_limits() | variables
    return programs.report("environment", *arguments, env=environment, timeout=60)


@pytest.mark.c_program
@whens
def test_a_first_draw_reads_no_environment(when: str) -> None:
    usual = told(when)
    limited = told(when, **LIMITS)
    assert limited["memory"] == ["none"]
    assert limited["chacha20"] == ["portable"]
    assert limited["kernel_entropy"] == ["syscall"]
    assert "VGETRANDOM_" not in str(usual)
    # Whether the variables are the first of many or the last, among long ones.
    padding = {f"A{i:03}": "x" * (7 * i % 300) for i in range(300)}
    assert told(when, **LIMITS, **padding) == limited
    assert told(when, **padding, **LIMITS) == limited
    assert told(when, **padding) == usual


@pytest.mark.c_program
@whens
@pytest.mark.parametrize("name", VARIABLES)
def test_a_value_that_is_not_known_is_ignored_and_a_note(when: str, name: str) -> None:
    for value in ("x", "None", " none", "offoff", "portable" * 100, "of"):
        notes = [note for note in told(when, **{name: value})["note"] if name in note]
        assert len(notes) == 1
        assert "ignored" in notes[0]


@pytest.mark.c_program
@whens
def test_other_variables_are_none_of_ours(when: str) -> None:
    usual = told(when)
    variables = {"VGETRANDOM_MEMORY_": "none", "XVGETRANDOM_MEMORY": "none", "VGETRANDOM_": "none"}
    assert told(when, **variables) == usual
    assert told(when, A="VGETRANDOM_MEMORY=none", B="x" * 62 + "VGETRANDOM_MEMORY=none") == usual
    assert told(when, VGETRANDOM_MEMORY="", VGETRANDOM_CHACHA20="") == usual


@pytest.mark.c_program
def test_what_was_cleared_before_the_library_was_loaded_is_gone() -> None:
    library = str(libraries.shared("vgetrandom_hooked"))
    usual, cleared = told("late"), told("cleared", library, **LIMITS)
    # What else it says is of the draws of the copy that was there before.
    assert cleared["chacha20"] == usual["chacha20"]
    assert cleared["memory"] == usual["memory"]
    assert "VGETRANDOM_" not in str(cleared)


SET_AFTER_IMPORT = """
import os, vgetrandom
os.environ.update(VGETRANDOM_MEMORY="none", VGETRANDOM_CHACHA20="portable")
print(vgetrandom.info())
"""
SET_BEFORE_IMPORT = """
import os
os.environ.update(VGETRANDOM_MEMORY="none", VGETRANDOM_CHACHA20="portable")
import vgetrandom
print(vgetrandom.info())
"""


def python(program: str) -> str:
    """What a Python program prints that was started without our variables."""
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=without_limits(),
        timeout=60,
    ).stdout


def test_setting_a_variable_after_the_import_has_no_effect() -> None:
    assert python(SET_AFTER_IMPORT) == python("import vgetrandom; print(vgetrandom.info())")


def test_setting_a_variable_before_the_import_has_an_effect() -> None:
    printed = python(SET_BEFORE_IMPORT)
    assert "memory='none'" in printed
    assert "chacha20='portable'" in printed
