# SPDX-License-Identifier: MIT
"""The environment is read once, when the library is loaded, and never again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support import libraries

NAMES = ("VGETRANDOM_MEMORY", "VGETRANDOM_WATCH", "VGETRANDOM_VDSO", "VGETRANDOM_CHACHA20")
LIMITS = {
    "VGETRANDOM_MEMORY": "none",
    "VGETRANDOM_CHACHA20": "portable",
}
CLEAN = {name: value for name, value in os.environ.items() if name not in NAMES}


def report(*arguments: str, **variables: str) -> list[str]:
    """What tests/c/environment.c prints."""
    done = subprocess.run(
        [libraries.program("environment"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=CLEAN | variables,
        timeout=60,
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr}"
    return done.stdout.splitlines()


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_first_draw_reads_no_environment(when: str) -> None:
    usual = report(when)
    limited = report(when, **LIMITS)
    assert {"memory=none", "chacha20=portable", "kernel_entropy=syscall"} <= set(limited)
    assert "VGETRANDOM_" not in " ".join(usual)
    # The first of many, the last of many, among long ones.
    padding = {f"A{i:03}": "x" * (7 * i % 300) for i in range(300)}
    assert report(when, **LIMITS, **padding) == limited
    assert report(when, **padding, **LIMITS) == limited
    assert report(when, **padding) == usual


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_known_is_reported(when: str, name: str) -> None:
    for value in ("x", "None", " none", "offoff", "portable" * 100, "of"):
        notes = [line for line in report(when, **{name: value}) if name in line]
        assert len(notes) == 1
        assert "ignored" in notes[0]


@pytest.mark.parametrize("when", ["early", "late"])
def test_other_variables_are_none_of_ours(when: str) -> None:
    usual = report(when)
    variables = {"VGETRANDOM_MEMORY_": "none", "XVGETRANDOM_MEMORY": "none", "VGETRANDOM_": "none"}
    assert report(when, **variables) == usual
    assert report(when, A="VGETRANDOM_MEMORY=none", B="x" * 62 + "VGETRANDOM_MEMORY=none") == usual
    assert report(when, VGETRANDOM_MEMORY="", VGETRANDOM_CHACHA20="") == usual


def test_what_was_cleared_before_the_library_was_loaded_is_gone() -> None:
    library = str(libraries.build() / "libvgetrandom_hooked.so")
    told = report("cleared", library, **LIMITS)
    # Instruction set and memory: the rest is of the draws of the copy that was there before.
    assert told[:2] == report("late")[:2]
    assert "VGETRANDOM_" not in " ".join(told)


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
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=CLEAN,
        timeout=60,
    )
    return done.stdout


def test_setting_it_after_the_import_has_no_effect() -> None:
    assert python(SET_AFTER_IMPORT) == python("import vgetrandom; print(vgetrandom.info())")


def test_setting_it_before_the_import_has() -> None:
    told = python(SET_BEFORE_IMPORT)
    assert "memory='none'" in told
    assert "chacha20='portable'" in told
