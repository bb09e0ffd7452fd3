# SPDX-License-Identifier: MIT
"""Free-threaded interpreters: nothing that is imported or called here brings the GIL back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this interpreter has a GIL"
)

EVERYTHING = """
import sys

import vgetrandom
from vgetrandom import doctor, droppable, patch, random, secrets, uuid

vgetrandom.random_bytes(16), vgetrandom.random_bytes_into(bytearray(1 << 16))
vgetrandom.info(), vgetrandom.stats(), vgetrandom.prepare(), vgetrandom.reseed(b"mine")
secrets.token_hex(), secrets.randbelow(6), random.SystemRandom().shuffle([1, 2, 3])
vgetrandom.uuid4(), vgetrandom.uuid7_str(), vgetrandom.reader().read(10)
with patch.installed():
    secrets.token_bytes()
if vgetrandom.info().memory == "droppable":
    droppable.DroppableCache(1 << 16).put("key", b"value")
assert not sys._is_gil_enabled()
"""

NUMPY = """
import sys

import vgetrandom.numpy

vgetrandom.numpy.default_rng().random(10)
assert not sys._is_gil_enabled()
"""


def run(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    # That a module has the GIL enabled is a warning.
    command = [sys.executable, "-P", "-W", "error", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_the_gil_stays_off() -> None:
    run("-c", EVERYTHING)


def test_the_gil_stays_off_with_numpy() -> None:
    pytest.importorskip("numpy")
    run("-c", NUMPY)


@pytest.mark.parametrize("command", ["info", "doctor", "cat -n 10"])
def test_commands(command: str) -> None:
    run("-m", "vgetrandom", *command.split())


def test_the_benchmark_says_that_the_gil_was_on(tmp_path: Path) -> None:
    for gil in "01":
        command = [sys.executable, "-P", "-m", "vgetrandom", "bench", "--quick", "--groups", "uuid"]
        subprocess.run(
            [*command, "--json", tmp_path / "run.json"],
            env=os.environ | {"PYTHON_GIL": gil},
            stdout=subprocess.DEVNULL,
            timeout=100,
            check=True,
        )
        machine = json.loads((tmp_path / "run.json").read_text())["machine"]
        assert machine["python"].endswith(" free-threaded")
        assert ("free threading" in machine["absent"]) == (gil == "1")
