# SPDX-License-Identifier: MIT
"""Work of tests that is done before they ask for it, on all processors at once.

A test decorated with `ahead(work)` takes the fixture `done`: what `work` returned for the test's
parameters. What `work` raised is raised by the fixture, a skip too. The work of all chosen tests of
a module begins with the first of them, in their order. It is for work in other processes: in this
one, threads would wait for each other. A module whose work is Python's has a `pool` of processes.
"""

from __future__ import annotations

import inspect
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from vgetrandom.bench import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Futures = dict[str, "Future[Any]"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "ahead(work): `done` is what work returned, begun early")


def ahead(work: Callable[..., object]) -> pytest.MarkDecorator:
    """Mark a test whose `work` is done ahead; its parameters are the test's, or fixtures."""
    return pytest.mark.ahead.with_args(work)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """What the work is done in."""
    with ThreadPoolExecutor(machine.cores()) as threads:
        yield threads


def unless_skipped(work: Callable[..., object], parameters: dict[str, Any]) -> tuple[object, str]:
    """Do the work; return what it returned, or why it skipped: pickle does not take a skip."""
    try:
        return work(**parameters), ""
    except pytest.skip.Exception as skipped:
        return None, str(skipped) or "no reason given"


def _submit(pool: Executor, item: pytest.Item, request: pytest.FixtureRequest) -> Future[Any]:
    marker = item.get_closest_marker("ahead")
    assert marker
    assert isinstance(item, pytest.Function)
    (work,) = marker.args
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return pool.submit(
        unless_skipped,
        work,
        {
            name: parameters[name] if name in parameters else request.getfixturevalue(name)
            for name in inspect.signature(work).parameters
        },
    )


@pytest.fixture(scope="module")
def _futures(pool: Executor, request: pytest.FixtureRequest) -> Iterator[Futures]:
    items = [
        item
        for item in request.session.items
        if item.path == request.path and item.get_closest_marker("ahead")
    ]
    yield {item.nodeid: _submit(pool, item, request) for item in items}
    pool.shutdown(cancel_futures=True)


@pytest.fixture
def done(_futures: Futures, request: pytest.FixtureRequest) -> Any:
    """What the test's work has come to."""
    result, skipped = _futures[request.node.nodeid].result()
    if skipped:
        pytest.skip(skipped)
    return result
