"""What a run may show: every output byte computed anew from the kernel's answers.

The rules, each stated once:

1. A draw returns all its bytes, and they are those of the protocol (state.h, draw.c) under a key
   that the kernel gave this very process in full: either the state as this process left it, or a
   key fetched during the draw; together with every later answer of the draw, in order. Otherwise
   they are the kernel's own answer.
2. No two draws and no two processes share 16 bytes, and no 16 zero bytes appear.
3. After the kernel reseeded, or reseed() was called, a key from before it is not used.
4. A thread fetches one first key, not two: it has one state.
5. When a draw has returned, the state holds neither bytes that were served nor keys that were used.

A draw takes effect at one point in time: when it looks at the generation for the last time, or when
the kernel answers for the last time if that is later. Whatever happens in the few instructions from
there to its return happens, as far as anybody can tell, after the draw: a fork there gives parent
and child the same bytes, as a fork after the return would. The injector sees, by watching the
generation word, whether a draw looked at it after a fault, so that this window is allowed exactly.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from .injector import FORKING, Outcome, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .injector import Answer, Draw, Fault, Result, Sizes

KEY_BYTES = 32
WINDOW = 16
# Every window of shorter outputs is looked at; of longer ones every sixteenth, beyond the rule
# that each keystream is handed out once.
EVERY_WINDOW_BELOW = 1024


def keystream(key: bytes, length: int) -> bytes:
    """Return the first bytes of ChaCha20's keystream with a zero nonce."""
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    return encryptor.update(bytes(length))


@dataclass(frozen=True)
class State:
    """A generator between two draws."""

    key: bytes
    reseed: int  # the answer of the kernel that its key began with, as a place in the log
    batch: bytes = b""  # not yet served


@dataclass(frozen=True)
class Explanation:
    """How an output came about."""

    data: bytes
    state: State | None  # afterwards; None where it was not used
    used_keys: tuple[bytes, ...] = ()


class _OtherAnswersError(Exception):
    """The draw would have asked the kernel more often, or less."""


def _mixed(secret: bytes, fresh: Answer) -> bytes:
    return bytes(a ^ b for a, b in zip(secret, fresh.data, strict=True))


def serve(start: State, length: int, fresh: list[Answer], sizes: Sizes) -> Explanation:
    """Do what the protocol does without any fault, with exactly these answers of the kernel."""
    answers = iter(fresh)
    key, batch, out = start.key, start.batch, b""
    used: list[bytes] = []

    def expand(secret: bytes, length: int) -> bytes:
        mixed = _mixed(secret, _next(answers))
        used.extend((secret, mixed))
        return keystream(mixed, length)

    def refill() -> None:
        nonlocal key, batch
        stream = expand(key, sizes.keystream)
        key, batch = stream[:KEY_BYTES], stream[KEY_BYTES:]

    while length - len(out) >= sizes.bulk_min:
        left = length - len(out)
        if len(batch) < KEY_BYTES:
            refill()
        secret, batch = batch[:KEY_BYTES], batch[KEY_BYTES:]
        chunk = left - left % sizes.bulk_grain if left < sizes.bulk else sizes.bulk
        out += expand(secret, chunk)
    while len(out) < length:
        if not batch:
            refill()
        taken = min(length - len(out), len(batch))
        out, batch = out + batch[:taken], batch[taken:]
    if next(answers, None) is not None:
        raise _OtherAnswersError
    return Explanation(out, State(key, start.reseed, batch), tuple(used))


def _next(answers: Iterator[Answer]) -> Answer:
    answer = next(answers, None)
    if answer is None or answer.got != KEY_BYTES:
        raise _OtherAnswersError
    return answer


class Oracle:
    """The judge of one run."""

    def __init__(self, result: Result, sizes: Sizes, last_look: int) -> None:
        """Prepare to judge.

        Args:
            result (Result): What the run has shown.
            sizes (Sizes): The core's constants.
            last_look (int): At which instruction the draw, without any fault, looks at the
                generation for the last time.
        """
        self._result = result
        self._sizes = sizes
        self._last_look = last_look
        self._traced = next((draw.pid for draw in result.draws if not draw.fork), 0)
        self._same: dict[int, int] = {}  # draws of children that were over before the fork
        self._before: dict[
            int, list[State | None]
        ] = {}  # by the serials of the traced process's draws
        self._used_keys: dict[bytes, Draw] = {}

    def violations(self) -> list[str]:
        """Return what is wrong with the run."""
        result = self._result
        found = []
        if result.status or result.failures:
            found.append(f"the process or a child of it failed: status {result.status:#x}")
        found += [
            f"{_name(draw)} returned {draw.result}, errno {draw.error}"
            for draw in result.draws
            if draw.result != draw.length
        ]
        if result.first_keys > 1:
            found.append("a thread has claimed two states")
        if Role.FOLLOWING not in {draw.role for draw in result.draws}:
            found.append("the state was not used any more")
        for pid in dict.fromkeys([self._traced, *(draw.pid for draw in result.draws)]):
            found += self._judge_process(pid)
        return found + self._repetitions() + self._left_in_state()

    # ---- one process ----

    def _judge_process(self, pid: int) -> list[str]:
        found = []
        states: list[State | None] = [None]  # in which its generator may be
        mine = [draw for draw in self._result.draws if draw.pid == pid]
        while mine:
            # A nested draw returns before the one that it interrupted.
            count = next(i for i, draw in enumerate(mine) if draw.role != Role.NESTED) + 1
            group, mine = mine[:count], mine[count:]
            if pid == self._traced:
                self._before.update((draw.serial, states) for draw in group)
            states = self._explain_group(group, states)
            if not states:
                found.append(f"{_name(group[-1])} gave bytes that no legal key gives")
                found += [f"... interrupted by {_name(draw)}" for draw in group[:-1]]
                states = [None]
        return found

    def _explain_group(self, group: list[Draw], before: list[State | None]) -> list[State | None]:
        """Explain draws that overlap in every order that does; return the states afterwards."""
        after: list[State | None] = []
        for start in before:
            for order in itertools.permutations(group):
                state = start
                for draw in order:
                    explanation = self._explain(draw, state)
                    if explanation is None:
                        break
                    self._used_keys.update(dict.fromkeys(explanation.used_keys, draw))
                    state = explanation.state or state
                else:
                    if state not in after:
                        after.append(state)
        return after

    def _explain(self, draw: Draw, state: State | None) -> Explanation | None:
        for explanation in self._possible(self._answers(draw), draw.length, state):
            if explanation.data == draw.data and not self._stale(draw, explanation):
                return explanation
        if self._was_over_at_fork(draw):
            return Explanation(draw.data, None)
        return None

    def _answers(self, draw: Draw) -> list[tuple[int, Answer]]:
        """Return what the kernel answered to this draw, in the process that it returned in."""
        nested = [
            other
            for other in self._result.draws
            if other.role == Role.NESTED and other.pid == draw.pid and other.serial > draw.serial
        ]
        return [
            (n, answer)
            for n, answer in enumerate(self._result.log)
            if draw.calls_before <= n < draw.calls_after
            and self._given_to(n, answer) == draw.pid
            and not any(other.calls_before <= n < other.calls_after for other in nested)
        ]

    def _given_to(self, n: int, answer: Answer) -> int:
        """Return the process that asked; a child forked inside the call has logged it again."""
        for draw in self._result.draws:
            if draw.pid == answer.pid and draw.fork and n < self._fork(draw).calls:
                return self._traced
        return answer.pid

    def _possible(
        self, answers: list[tuple[int, Answer]], length: int, state: State | None
    ) -> Iterator[Explanation]:
        starts = [(state, 0)] if state else []
        for i, (n, answer) in enumerate(answers):
            if answer.got == KEY_BYTES:
                starts.append((State(answer.data, n), i + 1))
        for start, used in starts:
            fresh = [answer for _, answer in answers[used:]]
            with contextlib.suppress(_OtherAnswersError):
                yield serve(start, length, fresh, self._sizes)
        data = b""
        for _, answer in reversed(answers):
            if len(data) < length:
                data = answer.data + data
        yield Explanation(data, None)

    # ---- faults ----

    def _done(self, kinds: str) -> list[Fault]:
        return [
            fault
            for fault in self._result.faults
            if fault.kind in kinds and fault.outcome == Outcome.DONE
        ]

    def _stale(self, draw: Draw, explanation: Explanation) -> bool:
        """Return whether a key from before a reseed was used after it."""
        if not explanation.state or draw.role == Role.PREPARATION:
            return False
        # A child's page is another one, and what it does is not stepped through.
        if draw.fork:
            return False
        for i, fault in enumerate(self._done("GR")):
            touched = fault.word_touched if fault.kind == "G" else fault.generation_touched
            # A reseed amidst the first search for the watched word prevents its being found: the
            # next one may go unnoticed.
            noticed = touched >> draw.serial & 1 or (draw.role == Role.FOLLOWING and i == 0)
            if noticed and explanation.state.reseed < fault.calls:
                return True
        return False

    def _fork(self, draw: Draw) -> Fault:
        """Return the fork that the process came from in which a draw returned."""
        return self._done(FORKING)[draw.fork - 1]

    def _was_over_at_fork(self, draw: Draw) -> bool:
        """Return whether the draw was over, but for its return, when its process was forked."""
        if draw.began == draw.pid:
            return False
        fork = self._fork(draw)
        parents = next(
            other
            for other in self._result.draws
            if other.pid == draw.began and other.serial == draw.serial
        )
        answers = self._answers(parents)
        if fork is self._result.faults[0] and draw.role == Role.SUBJECT:
            # Up to here it went as without any fault.
            over = self._result.run.at > self._last_look
        else:
            looked_later = fork.generation_touched >> draw.serial & 1
            over = not looked_later and not any(n >= fork.calls for n, _ in answers)
        if over and parents.data == draw.data:
            self._same[id(draw)] = id(parents)
            return True
        # A second fault has made the parent draw anew: what it had is the child's alone.
        answers = [(n, answer) for n, answer in answers if n < fork.calls]
        return over and any(
            explanation.data == draw.data
            for state in self._before[draw.serial]
            for explanation in self._possible(answers, draw.length, state)
        )

    # ---- all of them ----

    def _repetitions(self) -> list[str]:
        found = []
        seen: list[tuple[Draw, set[bytes]]] = []
        for draw in self._result.draws:
            step = 1 if draw.length < EVERY_WINDOW_BELOW else WINDOW
            places = range(0, draw.length - WINDOW + 1, step)
            windows = {draw.data[at : at + WINDOW] for at in places}
            if bytes(WINDOW) in draw.data:
                found.append(f"{_name(draw)} gave {WINDOW} zero bytes")
            if len(windows) < len(places):
                found.append(f"{_name(draw)} repeats {WINDOW} bytes of its own")
            found += [
                f"{_name(other)} and {_name(draw)} share {WINDOW} bytes"
                for other, others in seen
                if not windows.isdisjoint(others) and not self._are_one(draw, other)
            ]
            seen.append((draw, windows))
        return found

    def _are_one(self, a: Draw, b: Draw) -> bool:
        """Return whether parent and child returned from the same draw after it was over."""
        return self._same.get(id(a), id(a)) == self._same.get(id(b), id(b))

    def _left_in_state(self) -> list[str]:
        left, found = self._result.state, []
        before = [
            draw
            for draw in self._result.draws
            if draw.role != Role.FOLLOWING and draw.pid == draw.began and not draw.fork
        ]
        for draw in before:
            # The last bytes are those that an overlapping erasure might miss, or the first.
            ends = draw.data[:WINDOW], draw.data[-WINDOW:]
            if any(end in left for end in ends):
                found.append(f"{_name(draw)} was served from bytes that are still in the state")
        for key, draw in self._used_keys.items():
            if draw in before and key in left:
                found.append(f"a key that {_name(draw)} used is still in the state")
        return found


def _name(draw: Draw) -> str:
    process = f"child {draw.fork}" if draw.fork else "the parent"
    return f"{draw.role.name.lower()} draw {draw.serial} of {draw.length} bytes in {process}"
