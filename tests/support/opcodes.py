# SPDX-License-Identifier: MIT
"""Doing something between any two bytecodes of Python code, as a signal or a thread may."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, ModuleType


class Interrupted(BaseException):
    """Raised in place of a KeyboardInterrupt."""


def interrupt() -> None:
    """An action for `run`: what Ctrl-C does."""
    raise Interrupted


def run(
    work: Callable[[], object],
    modules: list[ModuleType],
    at: int | None = None,
    action: Callable[[], object] = interrupt,
) -> int:
    """Run `work`, and before bytecode number `at` of the modules' code also `action`.

    What the action raises is raised there. The action itself is not counted.

    Returns:
        How many bytecodes there were; `Interrupted` is not passed on.
    """
    count = 0
    acting = False
    mine = threading.get_ident()

    def step() -> None:
        nonlocal count, acting
        if acting or threading.get_ident() != mine:
            return
        count += 1
        if count - 1 == at:
            acting = True
            try:
                action()
            finally:
                acting = False

    watch = _monitored if sys.version_info >= (3, 12) else _traced
    with contextlib.suppress(Interrupted), watch(modules, step):
        work()
    return count


@contextlib.contextmanager
def _traced(modules: list[ModuleType], step: Callable[[], None]) -> Iterator[None]:
    """For CPython 3.11."""
    files = {module.__file__ for module in modules}

    def trace(frame: Any, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            step()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def _monitored(modules: list[ModuleType], step: Callable[[], None]) -> Iterator[None]:
    """For CPython 3.12 and later, where f_trace_opcodes is not reliable any more."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    tool = monitoring.DEBUGGER_ID
    codes = [code for module in modules for code in _codes(module)]
    monitoring.use_tool_id(tool, __name__)
    monitoring.register_callback(tool, monitoring.events.INSTRUCTION, lambda *_: step())
    for code in codes:
        monitoring.set_local_events(tool, code, monitoring.events.INSTRUCTION)
    try:
        yield
    finally:
        for code in codes:
            monitoring.set_local_events(tool, code, 0)
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(tool)


def _codes(module: ModuleType) -> Iterator[CodeType]:
    """All code of a module's functions and methods."""
    owners: list[Any] = [module, *vars(module).values()]
    for owner in owners:
        if owner is not module and not inspect.isclass(owner):
            continue
        for member in vars(owner).values():
            function = getattr(member, "__func__", member)
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                yield function.__code__
