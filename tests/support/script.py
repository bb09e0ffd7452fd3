# SPDX-License-Identifier: MIT
"""The scripted kernel from Python: what it answers, what it was asked."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from support import libraries
from support.reference import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

GETRANDOM = 1
VDSO = 2
GRND_NONBLOCK = 1


POOLS: dict[int, Pool] = {}  # by the script of the library that was given the bytes


class Kernel:
    """The core over the scripted kernel, which starts anew: all answers given, nothing asked."""

    def __init__(self, library: libraries.Library, seed: int = 0) -> None:
        self.ffi, self.lib = library
        self.script = self.lib.script()
        self.additional = POOLS.setdefault(int(self.ffi.cast("uintptr_t", self.script)), Pool())
        self.script.seed = seed
        self.script.has_vdso = 1
        self.script.vdso_answer = 0
        self.script.on_call = self.ffi.NULL
        self.script.clock = 0
        self.script.counter_forbidden = 0
        self.recover()
        self.layout = self.ffi.new("struct hook_layout *")
        self.lib.hook_layout(self.layout)

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

    def on_call(self, event: Callable[[int], None]) -> Any:
        """Call `event` with each call's number before it returns; keep what this returns."""

        def call(number: int, _buffer: Any, _length: int) -> None:
            event(number)

        callback = self.ffi.callback("void(uint64_t, void *, uint64_t)", call)
        self.script.on_call = callback
        return callback

    def draw(self, size: int, flags: int = 0) -> bytes:
        """Draw, and expect to succeed."""
        buffer = self.ffi.new("uint8_t[]", size)
        got = self.lib.vgetrandom(buffer, size, flags)
        assert got == size, errno.errorcode[self.ffi.errno]
        return bytes(self.ffi.buffer(buffer))

    def fail(self, size: int, flags: int = 0) -> int:
        """Draw, and expect to fail without a trace; return errno."""
        data = bytearray(b"\xa5" * size)
        self.ffi.errno = 0
        got = self.lib.vgetrandom(self.ffi.from_buffer(data), size, flags)
        error = self.ffi.errno
        assert got == -1
        assert data == bytes(size)
        return int(error)

    def page(self) -> bytearray:
        """Return a copy of the calling thread's state."""
        return bytearray(self.ffi.buffer(self.lib.hook_state(), self.layout.state_bytes))

    def field(self, name: str, size: int) -> bytes:
        """Return one field of the calling thread's state."""
        at = getattr(self.layout, name)
        return bytes(self.page()[at : at + size])

    def drop(self) -> None:
        """Zero the calling thread's page, as the kernel may at any time."""
        self.ffi.memmove(self.lib.hook_state(), bytes(4096), 4096)

    def stats(self) -> Any:
        """Return the library's counters."""
        stats = self.ffi.new("struct vgetrandom_stats *")
        self.lib.vgetrandom_get_stats(stats)
        return stats

    def info(self) -> Any:
        """Return what the library says about itself."""
        info = self.ffi.new("struct vgetrandom_info *")
        self.lib.vgetrandom_get_info(info)
        return info

    def notes(self) -> list[str]:
        """Return the notes of info."""
        notes = []
        for note in self.info().notes:
            if note == self.ffi.NULL:
                break
            notes.append(self.text(note))
        return notes

    def text(self, string: Any) -> str:
        """Return a string of the library."""
        raw = self.ffi.string(string)
        assert isinstance(raw, bytes)
        return raw.decode()

    @property
    def watch(self) -> str:
        """What is watched, in info()'s words."""
        return self.text(self.info().watch)


def new_kernel() -> Kernel:
    """Return a core that has not drawn yet."""
    return Kernel(libraries.fresh("scripted"))
