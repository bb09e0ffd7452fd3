# SPDX-License-Identifier: MIT
"""The library on real kernels, in machines of qemu's: booted, starved, cloned."""
