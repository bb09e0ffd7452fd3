# SPDX-License-Identifier: MIT
"""Faults at every instruction of a draw, what must come out all the same, and how it is checked."""
