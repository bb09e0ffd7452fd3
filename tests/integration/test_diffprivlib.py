# SPDX-License-Identifier: MIT
"""Differential privacy with secure noise."""

from __future__ import annotations

import math
import random

import pytest

import vgetrandom
from support.running import in_child
from support.statistics import kolmogorov_smirnov

mechanisms = pytest.importorskip(
    "diffprivlib.mechanisms",
    reason="diffprivlib is not installed, or not with a scikit-learn that it can be imported with",
    exc_type=ImportError,
)


def laplace(x: float) -> float:
    return 0.5 * math.exp(x) if x < 0 else 1 - 0.5 * math.exp(-x)


def test_its_noise_is_what_it_should_be() -> None:
    mechanism = mechanisms.Laplace(epsilon=1, sensitivity=1, random_state=vgetrandom.SystemRandom())
    assert kolmogorov_smirnov([mechanism.randomise(0) for _ in range(5000)], laplace) < 1


def test_a_forked_worker_adds_other_noise() -> None:
    def noise(generator: random.Random) -> set[bytes]:
        mechanism = mechanisms.Laplace(epsilon=1, sensitivity=1, random_state=generator)
        mechanism.randomise(0)

        def draws() -> bytes:
            return " ".join(repr(mechanism.randomise(0)) for _ in range(100)).encode()

        return set(in_child(draws).split()) & set(draws().split())

    assert noise(vgetrandom.SystemRandom()) == set()
