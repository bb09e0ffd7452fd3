# SPDX-License-Identifier: MIT
"""Preloaded by multiprocessing's fork server: its main thread has drawn when it forks."""

import vgetrandom

vgetrandom.random_bytes(16)
