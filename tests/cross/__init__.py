# SPDX-License-Identifier: MIT
"""Tests with a cross-compiler."""
