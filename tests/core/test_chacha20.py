# SPDX-License-Identifier: MIT
"""Every instruction set that this machine has, against others' ChaCha20 and against each other."""

from __future__ import annotations

import faulthandler
import itertools
import random
import signal

import pytest

import vgetrandom
from support import libraries
from support.conditions import own_process, unless_set
from support.core import Core
from support.reference import BLOCK_BYTES, GROUP_BLOCKS, GROUP_BYTES, keystream, standard
from support.running import end_of_child
from support.script import Kernel

FFI, LIB = libraries.hooked()


ALL = libraries.chacha20_sets()
SETS = list(libraries.chacha20_sets(supported=True))
BEST, *_ = SETS


@pytest.fixture(params=ALL)
def chosen(request: pytest.FixtureRequest) -> int:
    if request.param not in SETS:
        pytest.skip(f"this CPU has no {request.param}")
    return ALL[request.param]


def computed(
    number: int, key: bytes, groups: int, start: tuple[int, int] = (0, 0), offset: int = 0
) -> bytes:
    """What a set computes from counter and nonce, at that offset; nothing beside it is touched."""
    size = groups * GROUP_BYTES
    out = bytearray(b"\xa5" * (offset + size + 64))
    with FFI.from_buffer("uint8_t[]", out) as memory:
        LIB.hook_chacha20_keystream(number, memory + offset, groups, key, *start)
    assert out[:offset] == b"\xa5" * offset
    assert out[offset + size :] == b"\xa5" * 64
    return bytes(out[offset : offset + size])


def block(group: bytes, number: int) -> bytes:
    """One block of a group, word by word from where it lies."""
    return b"".join(group[64 * w + 4 * number : 64 * w + 4 * number + 4] for w in range(16))


# RFC 8439, appendix A.1. Key, nonce, counter, keystream.
RFC_8439 = [
    (
        bytes(32),
        bytes(12),
        0,
        (
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        ),
    ),
    (
        bytes(32),
        bytes(12),
        1,
        (
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
        ),
    ),
    (
        bytes(31) + b"\1",
        bytes(12),
        1,
        (
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
            "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"
        ),
    ),
    (
        b"\0\xff" + bytes(30),
        bytes(12),
        2,
        (
            "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
            "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"
        ),
    ),
    (
        bytes(32),
        bytes(11) + b"\2",
        0,
        (
            "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
            "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"
        ),
    ),
]


def test_portable_is_always_there() -> None:
    assert "portable" in SETS
    assert vgetrandom.info().chacha20 in SETS


def from_rfc(nonce: bytes, counter: int) -> tuple[int, int]:
    """Our counter and nonce for words 12 to 15: the RFC has 32 bits of the one, 96 of the other."""
    last = counter.to_bytes(4, "little") + nonce
    return int.from_bytes(last[:8], "little"), int.from_bytes(last[8:], "little")


@pytest.mark.parametrize(("key", "nonce", "counter", "expected"), RFC_8439)
def test_vectors_of_rfc_8439(
    chosen: int, key: bytes, nonce: bytes, counter: int, expected: str
) -> None:
    start, ours = from_rfc(nonce, counter)
    number = start % GROUP_BLOCKS
    run = computed(chosen, key, 3, (start - number, ours))
    assert block(run[:GROUP_BYTES], number).hex() == expected


def test_reference_is_right_and_in_the_same_order() -> None:
    for key, nonce, counter, expected in RFC_8439:
        start, ours = from_rfc(nonce, counter)
        assert standard(key, BLOCK_BYTES, start, ours).hex() == expected
        group = keystream(key, GROUP_BYTES, start, ours)
        assert block(group, 0).hex() == expected


def test_every_length_up_to_four_batches(chosen: int) -> None:
    rng = random.Random(chosen)
    batch = libraries.layout_of(libraries.hooked()).keystream_bytes
    for groups in range(4 * batch // GROUP_BYTES + 1):
        key, nonce = rng.randbytes(32), rng.randrange(2**64)
        expected = keystream(key, groups * GROUP_BYTES, 0, nonce)
        assert computed(chosen, key, groups, (0, nonce)) == expected, groups


def test_random_keys_and_counters_agree_with_the_reference(chosen: int, rounds: int) -> None:
    rng = random.Random(chosen)
    for _ in range(50 * rounds):
        key, groups, counter = rng.randbytes(32), rng.randrange(13), 16 * rng.randrange(2**60)
        nonce, offset = rng.randrange(2**64), rng.randrange(64)
        expected = keystream(key, groups * GROUP_BYTES, counter, nonce)
        assert computed(chosen, key, groups, (counter, nonce), offset) == expected


def test_every_word_of_the_nonce_counts(chosen: int) -> None:
    key = bytes(range(32))
    for nonce in (1 << bit for bit in range(64)):
        assert computed(chosen, key, 1, (0, nonce)) == keystream(key, GROUP_BYTES, 0, nonce)


def test_every_split_of_eight_groups(chosen: int) -> None:
    key = random.Random(chosen).randbytes(32)
    whole = keystream(key, 8 * GROUP_BYTES)
    for split in range(9):
        first = computed(chosen, key, split)
        second = computed(chosen, key, 8 - split, (split * GROUP_BLOCKS, 0))
        assert first + second == whole, split


@pytest.mark.parametrize("carry", [2**32, 2**33, 2**63, 2**64 - 2**32, 2**64])
def test_the_counter_carries_into_its_high_word(chosen: int, carry: int) -> None:
    """Over each multiple of 2^32, before every group of a run."""
    key = random.Random(carry).randbytes(32)
    for before in range(6):
        counter = carry - before * GROUP_BLOCKS
        expected = keystream(key, 5 * GROUP_BYTES, counter, carry - 1)
        assert computed(chosen, key, 5, (counter % 2**64, carry - 1)) == expected, before


def test_all_sets_agree_on_long_runs() -> None:
    key = random.Random(0).randbytes(32)
    runs = {computed(ALL[name], key, 301, (2**32 - 1600, 1), 1) for name in SETS}
    assert len(runs) == 1


def test_key_and_output_may_be_unaligned(chosen: int) -> None:
    memory = FFI.new("uint8_t[]", 64 + 32)
    for offset in range(64):
        key = random.Random(offset).randbytes(32)
        FFI.memmove(memory + offset, key, 32)
        out = FFI.new("uint8_t[]", 2 * GROUP_BYTES)
        LIB.hook_chacha20_keystream(chosen, out, 2, memory + offset, 0, 0)
        assert bytes(FFI.buffer(out)) == keystream(key, 2 * GROUP_BYTES)


# --- what is left behind ---


def words(data: bytes) -> list[int]:
    """Every four bytes at a multiple of four."""
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data) - 3, 4)]


def words_of_the_rounds(key: bytes, counter: int) -> set[int]:
    """Every word that the rounds of one block compute: from some of them the key follows."""
    x = words(b"expand 32-byte k" + key + counter.to_bytes(8, "little") + bytes(8))
    seen = set(words(key))

    def step(a: int, b: int, d: int, by: int) -> None:
        x[a] = (x[a] + x[b]) % 2**32
        mixed = x[d] ^ x[a]
        x[d] = (mixed << by | mixed >> (32 - by)) % 2**32
        seen.update((x[a], mixed, x[d]))

    columns = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            step(a, b, d, 16)
            step(c, d, b, 12)
            step(a, b, d, 8)
            step(c, d, b, 7)
    return seen


def remains(number: int, key: bytes, groups: int) -> list[int]:
    """What is left on the stack and in the registers."""
    left = FFI.new("uint8_t[]", 1 << 16)
    out = FFI.new("uint8_t[]", groups * GROUP_BYTES)
    size = LIB.hook_chacha20_remains(number, out, groups, key, left, len(left))
    if size == 0:
        pytest.skip("stack and registers cannot be looked at: no AVX for XSAVE, or not x86-64")
    assert bytes(FFI.buffer(out)) == keystream(key, groups * GROUP_BYTES)
    return words(bytes(FFI.buffer(left, size)))


@pytest.mark.parametrize("groups", [1, 2, 3, 4])
def test_neither_key_nor_state_is_left_on_the_stack_or_in_registers(
    chosen: int, groups: int
) -> None:
    key = random.Random(groups).randbytes(32)
    blocks = range(groups * GROUP_BLOCKS)
    secret = {word for block in blocks for word in words_of_the_rounds(key, block)}
    left = remains(chosen, key, groups)
    assert not set(words(key)) & set(left)
    # Two beside each other: one alone may be anything's.
    pairs = itertools.pairwise(left)
    assert not [pair for pair in pairs if secret.issuperset(pair) and any(pair)]


def test_rounds_are_those_of_chacha20() -> None:
    key = bytes(range(32))
    last = words(standard(key, BLOCK_BYTES))[4:12]
    before = {(word - added) % 2**32 for word, added in zip(last, words(key), strict=True)}
    assert before <= words_of_the_rounds(key, 0)


def test_what_is_left_would_be_seen() -> None:
    """The test above finds what is there: an address in the caller's library, say."""
    address = int(FFI.cast("uintptr_t", LIB.hook_layout)) >> 32
    assert address in remains(ALL["portable"], bytes(range(32)), 1)


# --- the choice ---


def fresh_kernel(monkeypatch: pytest.MonkeyPatch, value: str | None) -> Kernel:
    if value is None:
        monkeypatch.delenv("VGETRANDOM_CHACHA20", raising=False)
    else:
        monkeypatch.setenv("VGETRANDOM_CHACHA20", value)
    return Kernel(libraries.fresh("scripted"))


@own_process
@pytest.mark.parametrize(
    ("value", "expected"), [*((name, name) for name in SETS), (None, BEST), ("", BEST)]
)
def test_a_set_can_be_forced_and_the_best_is_the_default(
    value: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = fresh_kernel(monkeypatch, value)
    assert kernel.told("chacha20") == expected
    assert not any("VGETRANDOM_CHACHA20" in note for note in kernel.notes())


UNKNOWN = ["AVX2", "avx", "sse", "sse2 ", "avx512f", "none", "off", "0", "x" * 1000]
ELSEWHERE = [name for name in ALL if name not in SETS]


@own_process
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        *((value, "VGETRANDOM_CHACHA20 is not one of") for value in UNKNOWN),
        *((value, "cannot be used here") for value in ELSEWHERE),
    ],
)
def test_other_values_are_ignored_and_a_note_says_why(
    value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = fresh_kernel(monkeypatch, value)
    assert kernel.told("chacha20") == BEST
    assert any(reason in note for note in kernel.notes())


# --- a set that computes wrong is not used ---


class Unsound(Core):
    """A core whose sets are all in plain C, and wrong where they are told to be."""

    def __init__(self) -> None:
        super().__init__(libraries.fresh("unsound"))

    def choice(self) -> tuple[str, list[str]]:
        """The set that it chose, and its notes about that."""
        notes = [note for note in self.notes() if "chacha20" in note.lower()]
        return self.told("chacha20"), notes


@own_process
@unless_set("VGETRANDOM_CHACHA20")
class TestUnsound:
    def test_the_best_is_chosen_where_all_are_right(self) -> None:
        assert Unsound().choice() == (BEST, [])

    def test_the_next_best_is_chosen_and_the_wrong_ones_are_named(self) -> None:
        core = Unsound()
        *wrong, last = SETS
        for name in wrong:
            core.lib.unsound_block(name.encode(), 0)
        chosen, notes = core.choice()
        assert chosen == last
        assert len(notes) == len(wrong)
        for name in wrong:
            assert any(
                f"ChaCha20 {name} failed its known-answer test and is not used" in note
                for note in notes
            )

    @pytest.mark.parametrize("block", range(16))
    def test_a_wrong_block_anywhere_in_a_pass_is_noticed(self, block: int) -> None:
        core = Unsound()
        best, second, *_ = SETS
        core.lib.unsound_block(best.encode(), block)
        assert core.choice()[0] == second

    def test_a_forgotten_carry_is_noticed(self) -> None:
        core = Unsound()
        best, second, *_ = SETS
        core.lib.unsound_carry(best.encode())
        assert core.choice()[0] == second

    def test_a_nonce_that_is_not_used_is_noticed(self) -> None:
        core = Unsound()
        best, second, *_ = SETS
        core.lib.unsound_nonce(best.encode())
        assert core.choice()[0] == second

    def test_a_forced_one_that_is_wrong_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VGETRANDOM_CHACHA20", "portable")
        core = Unsound()
        core.lib.unsound_block(b"portable", 3)
        chosen, notes = core.choice()
        assert chosen == BEST
        assert any("portable failed its known-answer test" in note for note in notes)
        assert any("cannot be used here" in note for note in notes)

    def test_where_none_is_right_the_process_is_ended(self) -> None:
        """Then there are no random bytes, and no process that takes others for them."""
        core = Unsound()
        for name in ALL:
            core.lib.unsound_block(name.encode(), 0)

        def draw(_: int) -> None:
            faulthandler.disable()
            core.draw(16)

        assert end_of_child(draw) == (b"", -signal.SIGABRT)
