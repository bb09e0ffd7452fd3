# SPDX-License-Identifier: MIT
"""bench/gil.py can still build what it measures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.tools import skip_without


@pytest.mark.own_process
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="it is about the extension module")
def test_the_extension_module_is_built_with_another_threshold(tmp_path: Path) -> None:
    skip_without("cc")
    import gil

    released = gil.build(tmp_path, "released", 0)
    buffer = bytearray(64)
    released(buffer)
    assert any(buffer)
