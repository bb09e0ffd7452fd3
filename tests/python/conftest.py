# SPDX-License-Identifier: MIT
"""Fixtures: each binding of the C library."""

from __future__ import annotations

from typing import Any

import pytest

from support.bindings import BINDINGS


@pytest.fixture(params=BINDINGS, ids=lambda module: module.__name__)
def api(request: pytest.FixtureRequest) -> Any:
    """A module with random_bytes() and random_bytes_into()."""
    return request.param
