# SPDX-License-Identifier: MIT
"""The draw protocol in Python: from what the kernel answered to what each draw must return.

It is replayed after the draw, over the scripted kernel's log, and is as strict about what the
kernel was asked, in which order, as about the bytes. One thread's state, no limits set.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from support.reference import keystream, xor
from support.script import GETRANDOM, VDSO

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.script import Kernel

KEY_BYTES = 32
VALID = 1 << 63
REQUESTED = 1


class Model:
    """What the calling thread's state must be, and what it must give."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.layout = kernel.layout
        self.call = kernel.calls
        self.additional = copy.copy(kernel.additional)
        # The kernel's generation, and what else happens during which call.
        self.generation = kernel.script.generation
        self.events: dict[int, Callable[[], None]] = {}
        self.looking = kernel.lib.hook_watch_looking()
        self.looks = 0
        self.keyed = False
        self.reseeds = {"first": 0, "wiped": 0, "generation": 0, "requested": 0}
        self.refills = 0
        self.fallbacks = 0
        self.readings = 0  # of the clock
        self.drop()

    # What may happen at any time.

    def drop(self) -> None:
        """The page is zero."""
        self.valid_for = 0
        self.available = 0
        self.vdso_refills = 0
        self.fresh = bytes(KEY_BYTES)
        self.key = bytes(KEY_BYTES)
        self.batch = bytearray(self.layout.batch_bytes)

    def reseed_kernel(self) -> None:
        """The kernel's generation is another."""
        self.generation += 1

    def request(self, additional: bytes = b"") -> None:
        """vgetrandom_reseed() was called."""
        if additional:
            self.additional.give(additional)
        self.valid_for = REQUESTED

    # The kernel's answers.

    def _watched(self) -> int:
        return (0 if self.looking else self.generation) | VALID

    def _asked(self, source: int, length: int) -> bytes | None:
        call = self.call
        assert call < self.kernel.calls, f"call {call} of source {source} was not made"
        entry = self.kernel.entry(call)
        assert (entry.source, entry.len) == (source, length), f"call {call}"
        self.call += 1
        if entry.answer != length:
            return None
        return self.kernel.answer(call, length)

    def _happens(self) -> None:
        self.events.pop(self.call - 1, lambda: None)()

    # The protocol, in the order of csrc/draw.c, reseed.c and refill.c.

    def _from_kernel(self, length: int) -> bytes:
        answer = self._asked(GETRANDOM, length)
        assert answer is not None, "the model knows no failing fallback"
        self._happens()
        return answer

    def _current(self) -> bool:
        return self.valid_for == self._watched()

    def _from_vdso(self) -> bool:
        if not self.kernel.script.has_vdso:
            return False
        written = self.generation
        answer = self._asked(VDSO, KEY_BYTES)
        assert answer is not None
        self.fresh = answer
        self._happens()
        if self.looking:
            self.looks += 1
            power_of_two = self.looks & (self.looks - 1) == 0
            in_page = 0 if self.fresh == bytes(KEY_BYTES) else written  # zero: dropped meanwhile
            self.looking = not (power_of_two and in_page == self.generation)
        return True

    def _fetch_fresh(self) -> bool:
        left = self.vdso_refills
        if left > 0 and self._from_vdso():
            self.vdso_refills = left - 1
            return True
        answer = self._asked(GETRANDOM, KEY_BYTES)
        if answer is None:
            return False
        self.fresh = answer
        self._happens()
        self.vdso_refills = self.layout.max_vdso_refills
        return True

    def _mix(self, secret: Callable[[], bytes]) -> bool:
        if not self._fetch_fresh():
            return False
        self.fresh = xor(self.fresh, secret())
        return True

    def _reason(self) -> str:
        if not self.keyed:
            return "first"
        if self.valid_for == 0:
            return "wiped"
        return "requested" if self.valid_for == REQUESTED else "generation"

    def _reseed(self) -> bool:
        reason = self._reason()
        self.available = 0
        self.vdso_refills = self.layout.max_vdso_refills
        if self.looking:
            self._from_vdso()
        self.valid_for = self._watched()
        answer = self._asked(GETRANDOM, KEY_BYTES)
        if answer is None:
            self.valid_for = 0
            return False
        self.key = answer
        self._happens()
        self.key = xor(self.key, self.additional.pool)
        self.keyed = True
        self.reseeds[reason] += 1
        return True

    def _compute(self, length: int) -> bytes:
        # The reading comes between the last call and the next one.
        self.readings += 1
        self.refills += 1
        return keystream(self.fresh, length, nonce=self.kernel.clock(self.call))

    def _refill(self) -> bool:
        if not self._mix(lambda: self.key):
            return False
        run = self._compute(self.layout.keystream_bytes)
        self.key, self.batch = run[:KEY_BYTES], bytearray(run[KEY_BYTES:])
        self.fresh = bytes(KEY_BYTES)
        self.available = self.layout.batch_bytes
        return True

    def _take(self, length: int) -> bytes:
        at = self.layout.batch_bytes - self.available
        taken = bytes(self.batch[at : at + length])
        self.batch[at : at + length] = bytes(length)
        self.available -= length
        return taken

    def _bulk(self, length: int) -> bytes | None:
        if self.available < KEY_BYTES and not self._refill():
            return None
        at = self.layout.batch_bytes - self.available
        available = self.available
        if not self._mix(lambda: bytes(self.batch[at : at + KEY_BYTES])):
            return None
        self.batch[at : at + KEY_BYTES] = bytes(KEY_BYTES)
        self.available = available - KEY_BYTES
        bulk = self._compute(length)
        self.fresh = bytes(KEY_BYTES)
        return bulk

    def _serve(self, length: int) -> bytes | None:
        served = b""
        while length - len(served) >= self.layout.bulk_min_bytes:
            left = length - len(served)
            whole = left - left % self.layout.bulk_grain_bytes
            bulk = self._bulk(min(whole, self.layout.bulk_bytes))
            if bulk is None or not self._current():
                return None
            served += bulk
        while len(served) < length:
            if self.available == 0 and not self._refill():
                return None
            served += self._take(min(length - len(served), self.available))
        return served

    def draw(self, length: int) -> bytes:
        """Return what the next draw of so many bytes gives."""
        for _attempt in range(2):
            if not self._current() and not self._reseed():
                break
            served = self._serve(length)
            if served is not None and self._current():
                return served
        self.fallbacks += 1
        return self._from_kernel(length)

    def assert_page(self) -> None:
        """The state in memory is the one that the model has."""
        page = self.kernel.page()
        at = self.layout
        assert int.from_bytes(page[at.generation : at.generation + 8], "little") == self.valid_for
        assert int.from_bytes(page[at.available : at.available + 4], "little") == self.available
        assert page[at.working_key : at.working_key + KEY_BYTES] == self.fresh
        assert page[at.key : at.key + KEY_BYTES] == self.key
        assert page[at.batch : at.batch + at.batch_bytes] == self.batch

    def assert_stats(self, before: Any) -> None:
        """The library has counted what the model has, since `before`."""
        stats = self.kernel.stats()
        for reason, count in self.reseeds.items():
            name = f"reseeds_{reason}"
            assert getattr(stats, name) - getattr(before, name) == count, reason
        assert stats.refills - before.refills == self.refills
        assert stats.fallbacks - before.fallbacks == self.fallbacks
