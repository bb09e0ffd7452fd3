# SPDX-License-Identifier: MIT
"""`SystemRandom`: the standard library's class on vgetrandom's generator."""

from __future__ import annotations

import math
import random
import sys
from types import SimpleNamespace

from vgetrandom import _lazy, _standard, random_bytes

__all__ = ["SystemRandom"]

TYPE_CHECKING = False
if TYPE_CHECKING or sys.implementation.name == "cpython":
    from vgetrandom import _dropins
    from vgetrandom._dropins import RandomMethods
else:  # PyPy compiles the standard library's methods, which call these
    from vgetrandom import _tokens

    class RandomMethods:
        """The methods that `random.SystemRandom` builds everything from."""

        random = _tokens.random
        getrandbits = _tokens.getrandbits
        randbytes = _tokens.randbytes


if TYPE_CHECKING:
    from vgetrandom.numpy import default_rng as default_rng  # noqa: PLC0414


class SystemRandom(RandomMethods, random.SystemRandom):
    """Random numbers from the cryptographic generator of `vgetrandom.random_bytes`.

    A `random.SystemRandom` whose bits come from vgetrandom instead of a system call per number. It
    cannot be seeded and has no state to get, set or pickle. Integers are unbiased at any size,
    floats are multiples of 2**-53. If a subclass overrides ``random()``, ``getrandbits()`` or
    ``_randbelow()``, all other methods use the override, as in the standard library.

    Arguments and errors are those of the running interpreter's `random.SystemRandom`.

    See https://docs.python.org/3/library/random.html#random.SystemRandom
    """

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """Return a number of the normal distribution.

        The standard library computes two at a time and keeps the second, which a forked child would
        then return too. Here none is kept.

        Args:
            mu (float): The mean.
            sigma (float): The standard deviation.

        Returns:
            float: A random number, by the method of Box and Muller (Annals of Mathematical
            Statistics 29:2, 1958).
        """
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return mu + math.cos(math.tau * self.random()) * radius * sigma


if sys.implementation.name == "cpython":
    _names = {**vars(random), "_urandom": random_bytes}
    _dropins.use_random(
        SystemRandom,
        SimpleNamespace(
            **{name: getattr(random.SystemRandom, name) for name in dir(random.SystemRandom)}
            | {
                name: _standard.over(getattr(random.SystemRandom, name), _names)
                for name in ("getrandbits", "randbytes")
            }
        ),
    )


# Dask expects what numpy.random has here.
_lazy.load_when_used(__name__, {"default_rng": "vgetrandom.numpy"})
