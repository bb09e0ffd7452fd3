# SPDX-License-Identifier: MIT
"""UUIDs: the standard library's objects, and what RFC 9562 says of their bits."""

from __future__ import annotations

import copy
import itertools
import pickle
import subprocess
import sys
import time
import uuid
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vgetrandom
from support.running import in_child, in_threads
from support.statistics import chi_squared, uniformly

if TYPE_CHECKING:
    from collections.abc import Callable

MAKERS = [vgetrandom.uuid4, vgetrandom.uuid7]
TEXTS = [vgetrandom.uuid4_str, vgetrandom.uuid7_str]
RANDOM_BITS = {
    4: [bit for bit in range(128) if bit not in {62, 63, 76, 77, 78, 79}],
    7: list(range(62)),
}


@pytest.mark.parametrize("make", MAKERS, ids=["uuid4", "uuid7"])
def test_nothing_tells_it_from_a_constructed_one(make: Callable[[], uuid.UUID]) -> None:
    for _ in range(1000):
        ours = make()
        theirs = uuid.UUID(int=ours.int)
        assert type(ours) is uuid.UUID
        assert ours == theirs
        assert (hash(ours), str(ours), repr(ours)) == (hash(theirs), str(theirs), repr(theirs))
        assert ours.is_safe is theirs.is_safe is uuid.SafeUUID.unknown
        assert ours.variant == uuid.RFC_4122
        assert (ours.fields, ours.bytes_le, ours.urn) == (
            theirs.fields,
            theirs.bytes_le,
            theirs.urn,
        )
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.dumps(ours, protocol) == pickle.dumps(theirs, protocol)
        assert pickle.loads(pickle.dumps(ours, protocol)) == ours
    assert copy.copy(ours) == copy.deepcopy(ours) == ours
    assert weakref.ref(ours)() is ours
    with pytest.raises(TypeError, match="UUID objects are immutable"):
        ours.int = 5  # type: ignore[misc]
    with pytest.raises(TypeError):
        make(1)  # type: ignore[call-arg]


def test_versions() -> None:
    assert {vgetrandom.uuid4().version for _ in range(100)} == {4}
    assert {vgetrandom.uuid7().version for _ in range(100)} == {7}
    for make, version in zip(TEXTS, (4, 7), strict=True):
        for _ in range(100):
            text = make()
            assert (len(text), str(uuid.UUID(text))) == (36, text)
            assert (uuid.UUID(text).version, uuid.UUID(text).variant) == (version, uuid.RFC_4122)


@pytest.mark.parametrize("version", [4, 7])
def test_the_other_bits_are_random(version: int) -> None:
    numbers = [{4: vgetrandom.uuid4, 7: vgetrandom.uuid7}[version]().int for _ in range(4000)]
    numbers += [
        uuid.UUID({4: vgetrandom.uuid4_str, 7: vgetrandom.uuid7_str}[version]()).int
        for _ in range(4000)
    ]
    for bit in RANDOM_BITS[version]:
        assert chi_squared([number >> bit & 1 for number in numbers], uniformly((0, 1))) < 1


def test_the_way_past_the_constructor_is_taken_only_where_it_is_the_same() -> None:
    """A UUID class of another make gets its objects from its constructor."""
    program = """
import uuid
class Other(uuid.UUID):
    __slots__ = ("made",)
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        object.__setattr__(self, "made", True)
uuid.UUID = Other
import vgetrandom
for make in (vgetrandom.uuid4, vgetrandom.uuid7):
    made = make()
    assert type(made) is Other and made.made
    assert made.version in (4, 7)
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True, timeout=60)


# ---- version 7 ----


def tick(made: uuid.UUID) -> int:
    """Milliseconds and 12 bits of their fraction."""
    return (made.int >> 80) << 12 | (made.int >> 64 & 0xFFF)


def test_uuid7_tells_the_time() -> None:
    before = time.time_ns()
    made = vgetrandom.uuid7()
    after = time.time_ns()
    # It may run ahead of the clock, by what this process made in bulk before.
    assert before // 10**6 <= made.int >> 80 <= after // 10**6 + 5
    if sys.version_info >= (3, 14):
        assert abs(made.time - after // 10**6) <= 5


def test_uuid7_strictly_grows() -> None:
    made = [vgetrandom.uuid7() for _ in range(50_000)]
    ticks = [tick(one) for one in made]
    assert all(a < b for a, b in itertools.pairwise(ticks))
    assert sorted(made) == made
    texts = [vgetrandom.uuid7_str() for _ in range(10_000)]
    assert sorted(texts) == texts


def assert_grows_in_threads(make: Callable[[], uuid.UUID], count: int) -> None:
    """In each of four threads the times strictly grow, and no two threads have the same."""
    found: list[list[int]] = []
    in_threads(4, lambda _: found.append([tick(make()) for _ in range(count)]))
    assert all(sorted(ticks) == ticks for ticks in found)
    together = [one for ticks in found for one in ticks]
    assert len(set(together)) == len(together) == 4 * count


def test_uuid7_strictly_grows_over_threads() -> None:
    assert_grows_in_threads(vgetrandom.uuid7, 20_000)


def test_uuid7_shares_nothing_with_a_forked_child_but_the_time() -> None:
    def tails() -> bytes:
        return b"".join(vgetrandom.uuid7().bytes[8:] for _ in range(5000))

    tails()
    child, parent = in_child(tails), tails()
    pieces = {out[at : at + 8] for out in (child, parent) for at in range(0, len(out), 8)}
    assert len(pieces) == 10_000


@pytest.mark.parametrize("make", [*MAKERS, *TEXTS], ids=lambda make: make.__name__)
def test_none_twice(make: Callable[[], object]) -> None:
    assert len({str(make()) for _ in range(20_000)}) == 20_000


# ---- without the extension module ----


@pytest.fixture
def python_alone(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module as PyPy has it."""
    monkeypatch.setattr(sys.implementation, "name", "pypy")
    source = Path(sys.modules["vgetrandom.uuid"].__file__ or "").read_text()
    module: dict[str, Any] = {"__name__": "uuid_without_extension"}
    exec(compile(source, "uuid.py", "exec"), module)
    return module


def test_versions_without_the_extension(python_alone: dict[str, Any]) -> None:
    for version in (4, 7):
        for _ in range(100):
            made = python_alone[f"uuid{version}"]()
            assert (made.version, made.variant) == (version, uuid.RFC_4122)
            text = python_alone[f"uuid{version}_str"]()
            assert str(uuid.UUID(text)) == text


def test_uuid7_strictly_grows_and_keeps_few_ticks_without_it(python_alone: dict[str, Any]) -> None:
    assert_grows_in_threads(python_alone["uuid7"], 5000)
    assert len(python_alone["_ticks"]) <= python_alone["_MOST_TICKS"] + 4
