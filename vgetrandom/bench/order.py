# SPDX-License-Identifier: MIT
"""In which order rows take their turns: a balanced Latin square.

A row may leave something behind for the next one: full caches, a heap that it grew or gave back, a
processor that is still slow from wide registers. So not only each row's position changes from round
to round, but also whom it follows (Williams, "Experimental designs balanced for the estimation of
residual effects of treatments", 1949).
"""

from __future__ import annotations


def rounds_until_balanced(rows: int) -> int:
    """After how many rounds each row has stood at each position, and followed each other, alike."""
    return rows if rows % 2 == 0 else 2 * rows


def turn(rows: int, number: int) -> list[int]:
    """Lay out one round.

    Args:
        rows: How many rows take turns.
        number: Which round it is, from 0 on.

    Returns:
        The rows' indices, each once, in the order of this round.
    """
    if not rows:  # none of the peers is here
        return []
    # 0, 1, -1, 2, -2, ...: the steps from one to the next are all different, so that over the
    # shifts of it each row follows each other row. With an odd number the steps come in pairs, and
    # the reverse is wanted too.
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(rows)]
    shift, reverse = number % rows, rows % 2 and number // rows % 2
    order = [(step + shift) % rows for step in zigzag]
    return order[::-1] if reverse else order
