"""`vgetrandom bench`: vgetrandom and its peers, measured side by side in one run.

A new peer is one entry in `peers.PEERS`, a new group one entry in `groups.GROUPS`.
"""
