# SPDX-License-Identifier: MIT
"""The scripted kernel from Python: what it answers, what it was asked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from support import libraries
from support.core import Core
from support.reference import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GETRANDOM = 1
VDSO = 2
GRND_NONBLOCK = 1


POOLS: dict[int, Pool] = {}  # by the script of the library that was given the bytes


class Kernel(Core):
    """The core over the scripted kernel, which starts anew: all answers given, nothing asked."""

    def __init__(self, library: libraries.Library, seed: int = 0) -> None:
        super().__init__(library)
        self.script = self.lib.script()
        self.additional = POOLS.setdefault(int(self.ffi.cast("uintptr_t", self.script)), Pool())
        self.script.seed = seed
        self.script.has_vdso = 1
        self.script.vdso_answer = 0
        self.script.on_call = self.ffi.NULL
        self.script.clock = 0
        self.script.counter_forbidden = 0
        self.recover()

    @property
    def calls(self) -> int:
        """How many calls there were, of both kinds."""
        return int(self.script.calls)

    def entry(self, call: int) -> Any:
        """Return the log's entry of one call."""
        return self.script.log[call % 4096]

    def since(self, call: int) -> list[tuple[int, int, int]]:
        """Return source, length and answer of every call from this one on."""
        entries = [self.entry(number) for number in range(call, self.calls)]
        return [(entry.source, entry.len, entry.answer) for entry in entries]

    def answer(self, call: int, length: int) -> bytes:
        """Return what that call gave, or would have given."""
        buffer = self.ffi.new("uint8_t[]", length)
        self.lib.script_bytes(self.script.seed, call, buffer, length)
        return bytes(self.ffi.buffer(buffer))

    def clock(self, calls: int) -> int:
        """Return what the clock reads when there were so many calls."""
        return int(self.lib.script_clock(self.script.clock, calls))

    def answer_with(self, answer: int, after: int = 0, times: int = 0) -> None:
        """Let getrandom fail (with -errno) or answer short after some calls, for some calls."""
        self.script.getrandom_answer = answer
        self.script.answer_after = after
        self.script.answer_times = times
        self.script.getrandom_calls = 0

    def recover(self) -> None:
        """Let getrandom answer in full."""
        self.answer_with(0)

    def reseed(self) -> None:
        """Reseed the kernel."""
        self.lib.script_reseed_kernel(self.script.generation + 1)

    def request(self, additional: bytes = b"") -> None:
        """Call vgetrandom_reseed()."""
        self.lib.vgetrandom_reseed(additional, len(additional))
        if additional:
            self.additional.give(additional)

    @contextlib.contextmanager
    def on_call(self, event: Callable[[int], object]) -> Iterator[None]:
        """While the block runs, call `event` with each call's number before the call returns."""

        def call(number: int, _buffer: Any, _length: int) -> None:
            event(number)

        callback = self.ffi.callback("void(uint64_t, void *, uint64_t)", call)
        self.script.on_call = callback
        try:
            yield
        finally:
            self.script.on_call = self.ffi.NULL


def new_kernel() -> Kernel:
    """Return a core that has not drawn yet."""
    return Kernel(libraries.fresh("scripted"))
