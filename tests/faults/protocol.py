# SPDX-License-Identifier: MIT
"""What the protocol gives without any fault, from answers of the kernel.

One of the independent statements of the protocol; the others are csrc/draw.c, the model in
tests/support/model.py, the fuzzer's in fuzz_model.c, and csrc/draw.pml.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.ciphers import chacha20

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .injector import Answer, Sizes

KEY_BYTES = 32


def _splitmix64(x: int) -> int:
    """Return what the scripted kernel makes its answers and its clock of."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def clock(calls: int) -> int:
    """Return what the scripted kernel's clock reads when there were so many calls."""
    return _splitmix64(_splitmix64(2**64 - 1) ^ calls)


# A draw is explained in several ways, which have runs of keystream in common.
@functools.lru_cache(maxsize=64)
def keystream(key: bytes, length: int, nonce: int) -> bytes:
    """Return the first bytes of ChaCha20's keystream, in the core's order.

    That is, word w of block b, both counted in a group of 16 blocks, is word 16 w + b of the group.
    """
    words = memoryview(chacha20(key, bytes(8) + nonce.to_bytes(8, "little"), length)).cast("I")
    groups = (words[at : at + 256] for at in range(0, len(words), 256))
    return b"".join(group[word::16].tobytes() for group in groups for word in range(16))


@dataclass(frozen=True)
class State:
    """A generator between two draws."""

    key: bytes
    reseed: int  # the answer of the kernel that its key began with, as a place in the log
    batch: bytes = b""  # not yet served


@dataclass(frozen=True)
class Explanation:
    """How an output came about."""

    data: bytes
    state: State | None  # afterwards; None where it was not used
    used_keys: tuple[bytes, ...] = ()


class OtherAnswersError(Exception):
    """The draw would have asked the kernel more often, or less."""


def _mixed(secret: bytes, fresh: Answer) -> bytes:
    return bytes(a ^ b for a, b in zip(secret, fresh.data, strict=True))


# An answer of the kernel, and the reading of the clock that followed it.
Fresh = tuple["Answer", int]


def serve(start: State, length: int, fresh: list[Fresh], sizes: Sizes) -> Explanation:
    """Do what the protocol does without any fault, with exactly these answers of the kernel."""
    answers = iter(fresh)
    key, batch, out = start.key, start.batch, b""
    used: list[bytes] = []

    def expand(secret: bytes, length: int) -> bytes:
        answer, nonce = _next(answers)
        mixed = _mixed(secret, answer)
        used.extend((secret, mixed))
        return keystream(mixed, length, nonce)

    def refill() -> None:
        nonlocal key, batch
        stream = expand(key, sizes.keystream)
        key, batch = stream[:KEY_BYTES], stream[KEY_BYTES:]

    while length - len(out) >= sizes.bulk_min:
        left = length - len(out)
        if len(batch) < KEY_BYTES:
            refill()
        secret, batch = batch[:KEY_BYTES], batch[KEY_BYTES:]
        chunk = left - left % sizes.bulk_grain if left < sizes.bulk else sizes.bulk
        out += expand(secret, chunk)
    while len(out) < length:
        if not batch:
            refill()
        taken = min(length - len(out), len(batch))
        out, batch = out + batch[:taken], batch[taken:]
    if next(answers, None) is not None:
        raise OtherAnswersError
    return Explanation(out, State(key, start.reseed, batch), tuple(used))


def _next(answers: Iterator[Fresh]) -> Fresh:
    following = next(answers, None)
    if following is None or following[0].got != KEY_BYTES:
        raise OtherAnswersError
    return following


def readings(answers: list[tuple[int, Answer]], calls_after: int) -> Iterator[list[Fresh]]:
    """Yield the answers with all that the clock may have read after each.

    It was read after that answer and before the next one. Others may have called meanwhile: a
    handler that came in between, a child.
    """
    ends = [*(n for n, _ in answers[1:]), calls_after][: len(answers)]
    ranges = [
        [(answer, clock(calls)) for calls in range(n + 1, end + 1)]
        for (n, answer), end in zip(answers, ends, strict=True)
    ]
    for combination in itertools.product(*ranges):
        yield list(combination)
