# SPDX-License-Identifier: MIT
"""CPython's own tests under the patch: none fails that passes without it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="these are CPython's own tests"
)

PROGRAM = """
import sys, unittest
if sys.argv[2] == "patched":
    from vgetrandom import patch
    patch.install()
suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{sys.argv[1]}")
result = unittest.TextTestRunner(verbosity=0).run(suite)
failed = sorted(test.id() for test, _ in result.failures + result.errors)
print("OUTCOME", result.testsRun, failed)
"""


def outcome(name: str, how: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, name, how],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = re.search(r"^OUTCOME (.*)$", done.stdout, re.MULTILINE)
    if not found or "No module named 'test.test_" in done.stderr:
        pytest.skip("this Python comes without its own tests")
    return found[1]


@pytest.mark.parametrize("name", ["test_random", "test_secrets", "test_uuid", "test_os"])
def test_none_fails_that_passes_without(name: str) -> None:
    assert outcome(name, "patched") == outcome(name, "plain")
