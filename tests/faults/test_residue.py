# SPDX-License-Identifier: MIT
"""Nothing secret is left lying about: memory, registers, a core dump and swap are searched.

The core is the shipped one over the real kernel. What is searched for are the keys, the next batch
and the bytes that were served, which a tracer has read while they were in the state's page.
"""

from __future__ import annotations

import functools
import mmap
import os
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vgetrandom
from faults import cores, defects, residue, sweep, targets
from faults.injector import NotHereError, Target
from support import tools
from support.ahead import ahead
from support.libraries import chacha20_sets
from vgetrandom._probes import secrecy
from vgetrandom._probes.prober import NotHere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the tracer knows x86-64's registers only"
)

COMPUTING = ("refilling", "bulk, one chunk")
COPYING = ("small, from the batch", "middling, from the batch", "to the batch's end")


@functools.cache
def every_target() -> dict[str, Target]:
    tools.skip_without("cc", "cmake")
    try:
        return targets.targets(targets.sizes(cores.build()))
    except NotHereError as reason:
        pytest.skip(str(reason))


# What the shipped library is not built with, but somebody's may be.
UNUSUAL = {
    "gcc, Debug": cores.Build(scripted=False, build_type="Debug"),
    "gcc, bound lazily": cores.Build(scripted=False, options=("-fplt",), binding="lazy"),
    "clang, Debug, nothing inlined": cores.Build(
        scripted=False, options=("-fno-inline",), compiler="clang", build_type="Debug"
    ),
}


def drawn(
    name: str, chacha20: str = "", library: Path | None = None, directory: Path | None = None
) -> residue.Stopped:
    target = every_target()[name]
    environment = {"VGETRANDOM_CHACHA20": chacha20}
    return residue.stopped(library or cores.build(scripted=False), target, environment, directory)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Python searches: what is done ahead takes processes of its own."""
    every_target()
    with sweep.processes() as processes:
        yield processes


@dataclass(frozen=True)
class Searched:
    """What a draw has left, as far as tests look at it."""

    secrets: frozenset[str]
    canary: bool
    found: list[str]


def searched(name: str, chacha20: str = "", library: Path | None = None) -> Searched:
    with drawn(name, chacha20, library) as process:
        remains = process.remains
    return Searched(
        frozenset(secret.name for secret in remains.secrets),
        any(remains.canary in data for _, data in remains.memory),
        remains.found(),
    )


def with_a_set(name: str, chacha20: str) -> Searched:
    return searched(name, chacha20)


def as_shipped(name: str) -> Searched:
    return searched(name)


@ahead(with_a_set)
@pytest.mark.parametrize("chacha20", chacha20_sets(supported=True))
@pytest.mark.parametrize("name", COMPUTING)
def test_computing_leaves_no_secret_in_memory_or_registers(
    name: str, chacha20: str, done: Searched
) -> None:
    assert "the key at work" in done.secrets, (name, chacha20)
    assert done.found == []


@ahead(as_shipped)
@pytest.mark.parametrize("name", COPYING)
def test_copying_leaves_no_secret_in_memory_or_registers(name: str, done: Searched) -> None:
    assert {"the draw", "the next batch"} <= done.secrets, name
    assert done.canary
    assert done.found == []


@ahead(as_shipped)
@pytest.mark.parametrize(
    "name", ["first use", "after the batch's end", "bulk, one chunk and a tail", "bulk"]
)
def test_other_draws_leave_nothing_either(name: str, done: Searched) -> None:
    assert {"the key at work", "the next key"} <= done.secrets, name
    assert done.found == []


def as_built(name: str, chacha20: str, how: cores.Build) -> Searched:
    if how.compiler:
        tools.skip_without(how.compiler)
    return searched(name, chacha20, cores.build(how=how))


@ahead(as_built)
@pytest.mark.parametrize("how", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.parametrize(
    ("name", "chacha20"),
    [
        ("first use", ""),
        ("small, from the batch", ""),
        ("refilling", "portable"),
        ("bulk, one chunk", ""),
    ],
)
def test_unusual_builds_leave_nothing_either(
    name: str, chacha20: str, how: cores.Build, done: Searched
) -> None:
    assert done.found == [], (name, chacha20, how)


def test_a_frame_that_a_draw_has_no_room_for_does_not_build() -> None:
    every_target()
    whole_groups = cores.Replacement(
        "csrc/chacha20/portable.c", "#define LANES 8\n", "#define LANES 16\n"
    )
    with pytest.raises(RuntimeError, match="frame"):
        cores.build(cores.Defect("whole groups at a time", (whole_groups,)))


def with_a_defect(seeded: defects.Seeded) -> Searched:
    return searched(seeded.target, "portable", cores.build(seeded.defect, scripted=False))


@ahead(with_a_defect)
@pytest.mark.parametrize("seeded", defects.LEFT_BEHIND, ids=lambda seeded: seeded.defect.name)
def test_a_seeded_defect_is_caught(seeded: defects.Seeded, done: Searched) -> None:
    assert done.found, seeded


@pytest.fixture
def unlimited_core_dumps() -> Iterator[None]:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not pattern or pattern[0] in "|/@" or "/" in pattern:
        pytest.skip(f"core_pattern {pattern!r} does not name a plain file")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        pytest.skip(f"core dumps are limited to {hard} bytes")
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("unlimited_core_dumps")
@pytest.mark.skipif(
    vgetrandom.info().memory != "droppable", reason="a state that is not droppable may be dumped"
)
@pytest.mark.parametrize("name", ["first use", "small, from the batch", *COMPUTING])
def test_a_core_dump_has_no_secret(name: str, tmp_path: Path) -> None:
    with drawn(name, directory=tmp_path) as process:
        process.abort()
    dumps = list(tmp_path.iterdir())
    if not dumps:
        pytest.skip("the kernel wrote no core dump")
    dump = dumps[0].read_bytes()
    assert process.remains.canary in dump
    assert process.remains.found_in("the core dump", dump) == []


def swapped(path: Path, process: residue.Stopped) -> bytes:
    """Page a process out until its canary has come there; return what the swap file holds."""
    data = b""
    for _ in range(50):
        process.page_out()
        with path.open("rb") as file:
            # Swapping goes past the cache of the file.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            pages = iter(lambda: file.read(mmap.PAGESIZE), b"")
            data = b"".join(page for page in pages if any(page))
        if process.remains.canary in data:
            break
        time.sleep(0.05)
    return data


@pytest.mark.skipif(
    vgetrandom.info().memory != "droppable", reason="a state that is not droppable may be swapped"
)
def test_swap_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "thorough", True)
    try:
        with secrecy.swap_file() as path:
            if path is None:
                pytest.skip("this machine has swap of its own, which is not searched")
            for name in ("first use", "small, from the batch", *COMPUTING):
                with drawn(name) as process:
                    swap = swapped(path, process)
                    assert process.remains.canary in swap
                    assert process.remains.found_in("swap", swap) == []
    except NotHere as reason:
        pytest.skip(str(reason))
