# SPDX-License-Identifier: MIT
"""Fixtures: the core over the scripted kernel, in a thread of its own; quick runs."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

# `python -m pytest` puts the working directory first, where vgetrandom is source code, not built.
SOURCE = Path(__file__).resolve().parent.parent
sys.path[:] = [each for each in sys.path if Path(each).resolve() != SOURCE]

pytest.register_assert_rewrite(
    "support.model", "support.script", "support.windows", "support.running", "support.programs"
)

from support import libraries  # noqa: E402
from support.leaving import Leaving  # noqa: E402
from support.recording import Recorder  # noqa: E402
from support.running import in_thread, isolated, threaded  # noqa: E402
from support.script import Kernel  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --quick, for the suite's core part when it is run once per limit, and --record."""
    parser.addoption("--quick", action="store_true", help="fewer rounds of everything")
    parser.addoption("--record", type=Path, metavar="FILE", help="write down what came of it where")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, what clears up, and what writes the record."""
    for marker in (
        "new_thread: run in a new thread, which has not drawn yet",
        "c_program: runs a program of tests/c, which another toolchain may have built",
        "own_process: run in a forked child, which may load libraries and change its environment",
    ):
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(Leaving())
    config.pluginmanager.import_plugin("support.ahead")
    if path := config.getoption("--record"):
        config.pluginmanager.register(Recorder(config, path))
    _let_children_be_signalled()


def _let_children_be_signalled() -> None:
    """Have signals that are ignored here, as under nohup, not be ignored by what tests start.

    A command that ignores Ctrl-C would write until the memory is full of what it writes. Signals
    that a function handles are back to their default in a new program.
    """
    # PyPy's getsignal() does not know what was ignored when it started.
    ignored = re.search(r"SigIgn:\s*(\w+)", Path("/proc/self/status").read_text())
    assert ignored
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if int(ignored[1], 16) >> (number - 1) & 1:
            interrupts = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupts else lambda *_: None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run the tests that want it in a new thread or in a process of their own."""
    if pyfuncitem.get_closest_marker("new_thread"):
        pyfuncitem.obj = threaded(pyfuncitem.obj)
    if pyfuncitem.get_closest_marker("own_process"):
        pyfuncitem.obj = isolated(pyfuncitem.obj)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """See that tests of C programs say so, or builds by other toolchains would miss them."""
    libraries.programs_found.clear()
    result = yield
    if libraries.programs_found and not item.get_closest_marker("c_program"):
        pytest.fail(f"has no marker c_program, but asked for {libraries.programs_found}")
    return result


@pytest.fixture
def kernel() -> Kernel:
    """Return the core over the scripted kernel, which has found what it watches."""
    kernel = Kernel(libraries.scripted())
    in_thread(lambda: kernel.draw(1))
    return kernel


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """By how much to multiply the rounds of what is done over and over."""
    return 1 if request.config.getoption("--quick") else 10
