# SPDX-License-Identifier: MIT
"""The kinds of faults: the one table of them.

A kind is a set of actions that inject.c and subject.c know (actions.h), and what the oracle may
expect of it follows from them: a new kind is a new row. A new action is a line in `Action` and one
in actions.h, what it does (`inject()` in inject.c, or `handle()` in subject.c), and a property of
`Kind` for what the oracle may expect then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag


class Action(IntFlag):
    """What can be done before an instruction; as in actions.h."""

    DROP_PAGE = 1
    RESEED_KERNEL = 2
    REQUEST_RESEED = 4
    CLONE = 8
    LIBC_FORK = 16
    DRAW = 32


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        letter (str): Its name in a run, such as "DS".
        name (str): What happens.
        actions (Action): What the injector and the interrupted process do.
    """

    letter: str
    name: str
    actions: Action

    @property
    def drops(self) -> bool:
        """Whether the state's page is dropped."""
        return Action.DROP_PAGE in self.actions

    @property
    def forks(self) -> bool:
        """Whether there is a child afterwards, which finishes the draw too."""
        return bool(self.actions & (Action.CLONE | Action.LIBC_FORK))

    @property
    def draws(self) -> bool:
        """Whether a handler draws, in parent and child if it forks."""
        return Action.DRAW in self.actions

    @property
    def reseeds_kernel(self) -> bool:
        """Whether draws that look at the watched word afterwards need a key from afterwards."""
        return Action.RESEED_KERNEL in self.actions

    @property
    def requests_reseed(self) -> bool:
        """Whether draws that look at the state's generation afterwards need such a key."""
        return Action.REQUEST_RESEED in self.actions


KINDS = (
    Kind("D", "drop", Action.DROP_PAGE),
    Kind("S", "signal, handler draws", Action.DRAW),
    Kind("F", "fork, child draws too", Action.CLONE),
    Kind("B", "signal, handler forks, both draw", Action.LIBC_FORK | Action.DRAW),
    Kind("G", "kernel reseeds", Action.RESEED_KERNEL),
    Kind("R", "reseed() by another thread", Action.REQUEST_RESEED),
)
NOTHING = Kind("-", "the draw as it is", Action(0))

BY_LETTER = {kind.letter: kind for kind in (*KINDS, NOTHING)}
LETTERS = "".join(kind.letter for kind in KINDS)
