# SPDX-License-Identifier: MIT
"""The models of csrc, checked in every order in which things can happen."""
