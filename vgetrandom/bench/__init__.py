# SPDX-License-Identifier: MIT
"""`vgetrandom bench`: vgetrandom and its peers, measured side by side in one run.

A row may time any call. To add a peer, add an entry to a function's peers (`peers.NEW_BYTES`, for
example); to add a function, an entry to its group; to add a group, an entry to `groups.GROUPS`.
"""
