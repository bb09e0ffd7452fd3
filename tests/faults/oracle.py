# SPDX-License-Identifier: MIT
"""What a run may show: every output byte computed anew from the kernel's answers.

The rules, each stated once:

1. A draw returns all its bytes, and they are those of the protocol (state.h, draw.c) under a key
   that getrandom(2) gave this very process in full: either the state as this process left it, or
   a key fetched during the draw; together with every later answer of the draw, in order, and for
   each run of keystream a reading of the clock from after the answer that its key was made of.
   Otherwise they are one answer of getrandom(2).
2. No two draws and no two processes share 16 bytes, and no 16 zero bytes appear.
3. After the kernel reseeded, or reseed() was called, a key from before it is not used. (What a
   child does is not stepped through: there, rule 6 alone says so.)
4. A thread fetches one first key, not two: it has one state.
5. When a draw has returned, the state holds neither bytes that were served nor keys that were used.
6. Every process finishes the draw and makes more, from its state and not from the kernel; and when
   the kernel reseeds once more, the next one has a key from after that.

A draw takes effect at one point in time: when it looks at the generation for the last time, or when
the kernel answers for the last time if that is later. What happens in the few instructions between
there and its return cannot be told from what happens after the draw: a fork there gives parent and
child the same bytes, as a fork after the return would. The injector watches the word of the
generation and sees whether a draw looked at it after a fault, so that exactly this window is
allowed. That a draw looks again so late is checked too (late_looks()): a core that never looked
would be allowed anything.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from support.script import GETRANDOM

from . import protocol
from .injector import MAX_FAULTS, Outcome, Role
from .protocol import Explanation, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .injector import Answer, Draw, Fault, Result, Sizes, Trace

WINDOW = 16
# After its last look at the generation, and at the watched word, a draw may take at most so many
# more instructions.
RETURNING = 40
# So many bytes at either end of a long output may have come from the batch.
ENDS = 1024
# All windows of shorter outputs are compared, and every sixteenth of longer ones. That is in
# addition to rule 1, by which a longer output is keystream that belongs to it alone.
EVERY_WINDOW_BELOW = 1024


class Oracle:
    """The judge of one run."""

    def __init__(self, result: Result, sizes: Sizes, trace: Trace) -> None:
        """Prepare to judge.

        Args:
            result (Result): What the run has shown.
            sizes (Sizes): The core's constants.
            trace (Trace): The draw without any fault.
        """
        self._result = result
        self._sizes = sizes
        self._trace = trace
        self._first_use = Role.PREPARATION not in {draw.role for draw in result.draws}
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
        nested = [d for d in result.draws if d.role == Role.NESTED and d.pid == self._traced]
        handlers = sum(fault.kind.draws for fault in result.faults)
        if len(nested) != handlers:
            found.append(f"{handlers} handlers were to draw, {len(nested)} did")
        for process in range(1 + len(self._forks())):
            roles = Counter(draw.role for draw in result.draws if draw.fork == process)
            found += [
                f"{_process(process)} made {roles[role]} of its {count} {role.name.lower()} draws"
                for role, count in ((Role.SUBJECT, 1), (Role.FOLLOWING, 2), (Role.LAST, 1))
                if roles[role] != count
            ]
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
            others = (i for i, draw in enumerate(mine) if draw.role != Role.NESTED)
            count = next(others, len(mine) - 1) + 1
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
        """Explain draws that overlap, in every possible order; return the states afterwards."""
        after: list[State | None] = []
        for start in before:
            for order in itertools.permutations(group):
                state = start
                used: dict[bytes, Draw] = {}
                for draw in order:
                    explanation = self._explain(draw, state)
                    if explanation is None:
                        break
                    used |= dict.fromkeys(explanation.used_keys, draw)
                    state = explanation.state or state
                else:
                    self._used_keys |= used
                    if state not in after:
                        after.append(state)
        return after

    def _explain(self, draw: Draw, state: State | None) -> Explanation | None:
        answers = self._answers(draw)
        for explanation in self._possible(answers, draw.calls_after, draw.length, state):
            if explanation.data == draw.data and self._is_legal(draw, explanation):
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
        self,
        answers: list[tuple[int, Answer]],
        calls_after: int,
        length: int,
        state: State | None,
    ) -> Iterator[Explanation]:
        starts = [(state, 0)] if state else []
        for i, (n, answer) in enumerate(answers):
            if answer.source == GETRANDOM and answer.got == protocol.KEY_BYTES:
                starts.append((State(answer.data, n), i + 1))
        for start, used in starts:
            with contextlib.suppress(protocol.OtherAnswersError):
                for fresh in protocol.readings(answers[used:], calls_after):
                    yield protocol.serve(start, length, fresh, self._sizes)
        if answers:
            _, last = answers[-1]
            if last.source == GETRANDOM and last.got == last.asked == length:
                yield Explanation(last.data, None)

    # ---- faults ----

    def _forks(self) -> list[Fault]:
        return [fault for fault in self._result.faults if fault.kind.forks]

    def _is_legal(self, draw: Draw, explanation: Explanation) -> bool:
        """Return whether a draw whose bytes are explained so is allowed to have them."""
        if not explanation.state:
            # From the kernel: only a draw that was interrupted may be.
            return draw.role not in {Role.FOLLOWING, Role.LAST}
        reseed = explanation.state.reseed
        if draw.role == Role.LAST and self._is_watching():
            return reseed >= draw.calls_before
        return draw.fork > 0 or all(reseed >= calls for calls in self._reseeds_noticed(draw))

    def _is_watching(self) -> bool:
        """Return whether every process must have found the watched word by now."""
        # Two faults can prevent that, if each comes in the middle of a search.
        found = not self._first_use or len(self._result.faults) < MAX_FAULTS
        return found and self._trace.last_look_at_word is not None

    def _reseeds_noticed(self, draw: Draw) -> Iterator[int]:
        """Yield the calls of the kernel before each reseed that a draw must have noticed."""
        if draw.role == Role.PREPARATION:
            return
        by_kernel = 0
        is_following = draw.role == Role.FOLLOWING
        for fault in self._result.faults:
            requested = fault.kind.requests_reseed and fault.outcome != Outcome.NOTHING_THERE
            if requested and (fault.generation_touched >> draw.serial & 1 or is_following):
                yield fault.calls
            if not fault.kind.reseeds_kernel:
                continue
            # A reseed during the first search for the watched word prevents its being found: the
            # next one may go unnoticed.
            blind = self._first_use and by_kernel > 0
            by_kernel += 1
            if fault.word_touched >> draw.serial & 1 or (is_following and not blind):
                yield fault.calls

    def _fork(self, draw: Draw) -> Fault:
        """Return the fork that the process came from in which a draw returned."""
        return self._forks()[draw.fork - 1]

    def _was_over_at_fork(self, draw: Draw) -> bool:
        """Return whether the draw was over, but for its return, when its process was forked."""
        if draw.began == draw.pid:
            return False
        fork = self._fork(draw)
        same = (
            other
            for other in self._result.draws
            if other.pid == draw.began and other.serial == draw.serial
        )
        parents = next(same, None)
        if parents is None:
            return False
        answers = self._answers(parents)
        if fork is self._result.faults[0] and draw.role == Role.SUBJECT:
            # Until the fault, the draw was the one that was traced without any fault.
            over = self._result.run.at > self._trace.last_look
        else:
            looked_later = fork.generation_touched >> draw.serial & 1
            over = not looked_later and not any(n >= fork.calls for n, _ in answers)
        if over and parents.data == draw.data:
            self._same[id(draw)] = id(parents)
            return True
        # The kernel reseeded after the fork, before the parent compared what it had read. The
        # parent drew again, and only the child has the bytes from before.
        later = self._result.faults[self._result.faults.index(fork) + 1 :]
        redone = any(fault.kind.reseeds_kernel for fault in later)
        answers = [(n, answer) for n, answer in answers if n < fork.calls]
        return (over and redone) and any(
            explanation.data == draw.data
            for state in self._before[draw.serial]
            for explanation in self._possible(answers, fork.calls, draw.length, state)
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
            if draw.role not in {Role.FOLLOWING, Role.LAST}
            and draw.pid == draw.began
            and not draw.fork
        ]
        for draw in before:
            places = [*range(0, draw.length - WINDOW + 1, WINDOW), draw.length - WINDOW]
            places = [at for at in places if at < ENDS or at >= draw.length - ENDS]
            if any(draw.data[at : at + WINDOW] in left for at in places):
                found.append(f"{_name(draw)} was served from bytes that are still in the state")
        serials = {draw.serial for draw in before}
        for key, draw in self._used_keys.items():
            if not draw.fork and draw.serial in serials and key in left:
                found.append(f"a key that {_name(draw)} used is still in the state")
        return found


def _process(fork: int) -> str:
    return f"child {fork}" if fork else "the parent"


def _name(draw: Draw) -> str:
    role = draw.role.name.lower()
    return f"{role} draw {draw.serial} of {draw.length} bytes in {_process(draw.fork)}"


def late_looks(trace: Trace) -> list[str]:
    """Return which of its last looks a draw takes too early."""
    last = {"the generation": trace.last_look, "the watched word": trace.last_look_at_word}
    return [
        f"after its last look at {name} a draw goes on for {len(trace.instructions) - 1 - at} more"
        for name, at in last.items()
        if at is not None and not 0 <= len(trace.instructions) - 1 - at <= RETURNING
    ]
