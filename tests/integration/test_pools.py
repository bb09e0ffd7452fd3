# SPDX-License-Identifier: MIT
"""Pools of forked workers: Celery's, and the standard library's."""

from __future__ import annotations

import multiprocessing
import uuid
from concurrent.futures import ProcessPoolExecutor

import pytest

import vgetrandom
from vgetrandom import patch


def ids(_: int) -> list[str]:
    return [vgetrandom.uuid4_str(), vgetrandom.secrets.token_hex(16), str(uuid.uuid4())]


def assert_all_differ(results: list[list[str]]) -> None:
    made = [one for result in results for one in result]
    assert len(set(made)) == len(made) == 3 * 400


def test_celerys_prefork_pool() -> None:
    billiard = pytest.importorskip("billiard", reason="billiard is not installed")
    with patch.installed():
        ids(0)
        pool = billiard.Pool(4)
        try:
            assert_all_differ(pool.map(ids, range(400)))
        finally:
            pool.terminate()
            pool.join()


def test_the_standard_librarys_pools() -> None:
    with patch.installed():
        ids(0)
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(4, mp_context=fork) as pool:
            assert_all_differ(list(pool.map(ids, range(400), chunksize=10)))
