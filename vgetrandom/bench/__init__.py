# SPDX-License-Identifier: MIT
"""`vgetrandom bench`: vgetrandom and its peers, measured side by side in one run.

A row may time any call. A new peer is one entry among those of a function (`peers.NEW_BYTES`, for
example), a new function one entry in its group, a new group one entry in `groups.GROUPS`.
"""
