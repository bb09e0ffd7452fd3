# SPDX-License-Identifier: MIT
"""The order in which rows take turns: a balanced Latin square.

A row may affect the next one: by full caches, by a heap that it grew or shrank, by a processor that
is still slow after wide registers. So from round to round not only the position of each row changes
but also the row that it follows (Williams, "Experimental designs balanced for the estimation of
residual effects of treatments", 1949).
"""

from __future__ import annotations


def rounds_until_balanced(rows: int) -> int:
    """How many rounds until every row has had every position and predecessor equally often."""
    return rows if rows % 2 == 0 else 2 * rows


def turn(rows: int, number: int) -> list[int]:
    """Return the order of one round.

    Args:
        rows: How many rows take turns.
        number: Which round it is, from 0 on.

    Returns:
        The rows' indices, each once, in the order of this round.
    """
    if not rows:  # none of the peers is available
        return []
    # 0, 1, -1, 2, -2, ...: all steps between neighbours differ, so over all shifts each row follows
    # each other row. With an odd number the steps come in pairs, and the reverse is needed too.
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(rows)]
    shift, reverse = number % rows, rows % 2 and number // rows % 2
    order = [(step + shift) % rows for step in zigzag]
    return order[::-1] if reverse else order
