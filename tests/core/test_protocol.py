# SPDX-License-Identifier: MIT
"""Each draw returns, byte for byte, what a model of the protocol makes of the kernel's answers."""

from __future__ import annotations

import random

import pytest

from support.conditions import new_thread, own_process
from support.libraries import chacha20_sets, layout_of, scripted
from support.model import KEY_BYTES, Model
from support.reference import keystream
from support.running import in_thread
from support.script import GETRANDOM, VDSO, Kernel, new_kernel

LAYOUT = layout_of(scripted())
BATCH = LAYOUT.batch_bytes
INLINE = LAYOUT.inline_bytes
BULK = LAYOUT.bulk_bytes
BULK_MIN = LAYOUT.bulk_min_bytes
GRAIN = LAYOUT.bulk_grain_bytes

SIZES = sorted(
    {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255}
    | {INLINE - 1, INLINE, INLINE + 1}
    | {BATCH - 33, BATCH - 32, BATCH - 31, BATCH - 1, BATCH, BATCH + 1}
    | {BULK_MIN - 1, BULK_MIN, BULK_MIN + 1, BULK_MIN + GRAIN - 1, BULK_MIN + GRAIN}
    | {2 * BATCH, 3 * BATCH + 5, 4 * BATCH, BULK - 1, BULK, BULK + 1, BULK + BULK_MIN}
    | {2 * BULK + GRAIN, 3 * BULK + 7}
)


# Each test's first draw is its thread's first.
pytestmark = new_thread


def check(kernel: Kernel, model: Model, size: int) -> None:
    """Draw: output, calls of the kernel, readings of the clock and the page are the model's."""
    before = kernel.calls
    readings = kernel.script.clock_readings - model.readings
    drawn = kernel.draw(size)
    assert drawn == model.draw(size), f"{size} bytes, calls {kernel.since(before)}"
    assert model.call == kernel.calls
    assert model.readings == kernel.script.clock_readings - readings
    model.assert_page()


# --- chosen sequences ---


@pytest.mark.parametrize("size", SIZES)
def test_first_draw(kernel: Kernel, size: int) -> None:
    check(kernel, Model(kernel), size)


@own_process
@pytest.mark.parametrize("size", [1, BATCH, BULK + 1])
def test_first_draw_of_the_process(size: int) -> None:
    kernel = new_kernel()
    model = Model(kernel)
    assert model.looking
    check(kernel, model, size)
    assert not model.looking
    assert not kernel.lib.hook_watch_looking()
    check(kernel, model, size)


@pytest.mark.parametrize("size", SIZES)
def test_same_size_again_and_again(kernel: Kernel, size: int) -> None:
    model = Model(kernel)
    for _ in range(max(5, min(400, 3 * BATCH // size))):
        check(kernel, model, size)


@pytest.mark.parametrize("left", [0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 257])
@pytest.mark.parametrize("size", [1, 16, 32, 300, BATCH, BULK_MIN, BULK + 1])
def test_with_so_much_left_in_the_batch(kernel: Kernel, left: int, size: int) -> None:
    model = Model(kernel)
    check(kernel, model, BATCH - left if BATCH - left < BULK_MIN else BATCH - left - 1)
    if BATCH - left >= BULK_MIN:
        check(kernel, model, 1)
    assert model.available == left
    check(kernel, model, size)
    check(kernel, model, size)


def test_exactly_to_the_end_of_the_batch(kernel: Kernel) -> None:
    model = Model(kernel)
    for size in (BATCH - 48, 16, 16, 16):
        check(kernel, model, size)
    assert model.available == 0
    assert kernel.field("batch", BATCH) == bytes(BATCH)
    calls = kernel.calls
    check(kernel, model, 1)
    assert kernel.calls == calls + 1


def test_without_a_vdso(kernel: Kernel) -> None:
    kernel.script.has_vdso = 0
    model = Model(kernel)
    calls = kernel.calls
    for size in (16, BATCH, 16, BULK + 5, 3 * BULK):
        check(kernel, model, size)
    assert {source for source, _, _ in kernel.since(calls)} == {GETRANDOM}


def test_the_vdso_is_relied_on_for_so_many_refills_and_no_more(kernel: Kernel) -> None:
    model = Model(kernel)
    calls = kernel.calls
    for _ in range(3 * LAYOUT.max_vdso_refills):
        check(kernel, model, BATCH // 2)
        check(kernel, model, BATCH - BATCH // 2)
    sources = [source for source, _, _ in kernel.since(calls)]
    longest = max(len(run) for run in "".join(map(str, sources)).split(str(GETRANDOM)))
    assert longest == LAYOUT.max_vdso_refills
    assert sources.count(VDSO) > sources.count(GETRANDOM)


def test_every_length_up_to_four_batches(kernel: Kernel) -> None:
    model = Model(kernel)
    for size in range(1, 4 * BATCH + 1):
        assert kernel.draw(size) == model.draw(size), size


EVENTS = ["drop", "reseed_kernel", "request"]


def happen(kernel: Kernel, event: str) -> None:
    """Have the event happen to the core; the model's method of that name does so to the model."""
    if event == "drop":
        kernel.drop()
    elif event == "reseed_kernel":
        kernel.reseed()
    else:
        kernel.request()


REASONS = {"drop": "wiped", "reseed_kernel": "generation", "request": "requested"}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("size", [1, 16, 300, BATCH, BULK_MIN, BULK + 1])
def test_a_draw_after(kernel: Kernel, event: str, size: int) -> None:
    model = Model(kernel)
    before = kernel.stats()
    for _ in range(3):
        check(kernel, model, size)
    happen(kernel, event)
    getattr(model, event)()
    check(kernel, model, size)
    check(kernel, model, size)
    assert model.reseeds == {"first": 1, "wiped": 0, "generation": 0, "requested": 0} | {
        REASONS[event]: 1
    }
    model.assert_stats(before)


# --- something happens in the middle ---


def draw_with(kernel: Kernel, model: Model, size: int, events: dict[int, str]) -> None:
    """Draw while `events` happen during calls of the kernel, by the call's number."""

    def on_call(call: int) -> None:
        if call in events:
            happen(kernel, events[call])

    model.events = {call: getattr(model, event) for call, event in events.items()}
    with kernel.on_call(on_call):
        check(kernel, model, size)
    model.events = {}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("size", [16, BATCH - 1, BATCH, BULK + 1, 3 * BULK])
def test_once_in_the_middle(kernel: Kernel, size: int, at: int, event: str, first: bool) -> None:
    model = Model(kernel)
    if not first:
        check(kernel, model, BATCH - 8)
    before = kernel.stats()
    model.reseeds = dict.fromkeys(model.reseeds, 0)
    model.refills = 0
    draw_with(kernel, model, size, {kernel.calls + at: event})
    model.assert_stats(before)
    check(kernel, model, size)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("size", [16, BATCH, BULK + 1])
def test_over_and_over_in_the_middle(kernel: Kernel, size: int, event: str) -> None:
    model = Model(kernel)
    check(kernel, model, BATCH - 8)
    calls = kernel.calls
    draw_with(kernel, model, size, {calls + at: event for at in range(100)})
    # One retry, then the kernel serves all of it.
    assert model.fallbacks == 1
    source, length, answer = kernel.since(calls)[-1]
    assert (source, length, answer) == (GETRANDOM, size, size)
    check(kernel, model, size)


# --- at random ---


def size_at_random(rng: random.Random) -> int:
    return rng.choice(
        [rng.randint(1, 64), rng.randint(1, INLINE), rng.randint(1, 2 * BATCH), rng.choice(SIZES)]
    )


@own_process
@pytest.mark.parametrize("seed", range(6))
def test_random_draws_and_events(seed: int, rounds: int) -> None:
    rng = random.Random(seed)
    kernel = new_kernel() if seed < 2 else Kernel(scripted())
    kernel.script.seed = seed
    kernel.script.has_vdso = seed % 3 != 0
    model = Model(kernel)
    before = kernel.stats()
    for _ in range(40 * rounds):
        events = {}
        if rng.random() < 0.1 and model.keyed:
            event = rng.choice(EVENTS)
            happen(kernel, event)
            getattr(model, event)()
        if rng.random() < 0.2:
            for _ in range(rng.randint(1, 3)):
                events[kernel.calls + rng.randrange(6)] = rng.choice(EVENTS)
        draw_with(kernel, model, size_at_random(rng), events)
    model.assert_stats(before)


@own_process
@pytest.mark.parametrize("name", chacha20_sets(supported=True))
def test_random_draws_with_each_instruction_set(
    name: str, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VGETRANDOM_CHACHA20", name)
    rng = random.Random(name)
    kernel = new_kernel()
    model = Model(kernel)
    for _ in range(40 * rounds):
        check(kernel, model, size_at_random(rng))
    assert kernel.told("chacha20") == name


# --- what is left in the page ---


def test_a_state_takes_at_most_one_page(kernel: Kernel) -> None:
    kernel.draw(1)
    page = int(kernel.ffi.cast("uintptr_t", kernel.lib.hook_state()))
    assert kernel.layout.state_bytes <= 4096
    assert page % 4096 == 0


@pytest.mark.parametrize("size", SIZES)
def test_served_bytes_are_erased(kernel: Kernel, size: int) -> None:
    kernel.draw(1)
    served = kernel.draw(size)
    page = bytes(kernel.page())
    for at in range(0, max(1, size - 7), 8 if size < BULK else 1024):
        piece = served[at : at + 8]
        assert len(piece) < 4 or piece not in page
    assert kernel.field("working_key", KEY_BYTES) == bytes(KEY_BYTES)


def test_only_what_was_not_served_is_in_the_batch(kernel: Kernel) -> None:
    served = 0
    for size in (1, 15, 16, 17, 100, 256, 257, 1000):
        kernel.draw(size)
        served += size
        batch = kernel.field("batch", BATCH)
        assert batch[:served] == bytes(served)
        assert batch[served : served + 8] != bytes(8)


def test_each_refill_has_a_key_of_its_own(kernel: Kernel) -> None:
    keys: list[bytes] = []
    for _ in range(40):
        kernel.draw(BATCH - 1)
        page = bytes(kernel.page())
        assert not any(key in page for key in keys)
        keys.append(kernel.field("key", KEY_BYTES))
        kernel.draw(1)
    assert len(set(keys)) == len(keys)


def theft(kernel: Kernel, seed_afterwards: int) -> tuple[bytes, bytes]:
    """What an attacker has who reads the whole page, and the batch after it."""
    kernel.script.calls = 100
    kernel.draw(16)
    stolen = bytes(kernel.page())
    kernel.draw(BATCH - 16)
    kernel.script.seed = seed_afterwards
    return stolen, kernel.draw(BATCH - 1)


def test_a_stolen_state_says_nothing_about_the_next_batch(kernel: Kernel) -> None:
    results = []
    for seed in (0, 1):
        kernel.script.seed = 0
        in_thread(lambda seed=seed: results.append(theft(kernel, seed)))  # type: ignore[misc]
    (stolen, batch), (same, other) = results
    assert stolen == same
    # The pages were equal, only what the kernel answered afterwards was not.
    assert batch != other
    assert not set(zip(*[iter(batch)] * 4, strict=False)) & set(
        zip(*[iter(other)] * 4, strict=False)
    )


def test_with_the_kernel_s_next_answer_a_stolen_state_gives_the_next_batch(kernel: Kernel) -> None:
    # This shows that the test above can fail: with the answer, the page determines the batch.
    stolen, batch = theft(kernel, 0)
    at = LAYOUT.key
    answer = kernel.answer(kernel.calls - 1, KEY_BYTES)
    key = bytes(a ^ b for a, b in zip(stolen[at : at + KEY_BYTES], answer, strict=True))
    nonce = kernel.clock(kernel.calls)
    assert keystream(key, KEY_BYTES + BATCH, nonce=nonce)[KEY_BYTES:-1] == batch


def test_a_stolen_state_says_nothing_about_the_next_large_request(kernel: Kernel) -> None:
    kernel.draw(16)
    stolen = kernel.page()
    drawn = []
    for seed in (0, 1):
        kernel.ffi.memmove(kernel.lib.hook_state(), stolen, len(stolen))
        kernel.script.seed = seed
        kernel.script.calls = 100
        drawn.append(kernel.draw(BULK))
    assert drawn[0][:64] != drawn[1][:64]
