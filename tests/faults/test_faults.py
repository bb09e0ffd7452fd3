# SPDX-License-Identifier: MIT
"""A drop, a fork, a signal or a reseed before any instruction of a draw: the representative part.

``make faults`` makes the whole sweep (tests/faults/).
"""

from __future__ import annotations

import functools
import os
import platform
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faults import cores, defects, kinds, sweep, targets
from faults.injector import Injector, NotHereError, Outcome, Run, Sizes
from faults.kinds import Action
from faults.oracle import late_looks
from support import libraries, tools
from support.ahead import ahead
from support.model import Model
from support.script import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the injector knows x86-64's debug registers only"
)

# Instructions per draw and fault; the full sweep takes thousands.
POINTS = {"first use": 100, "bulk": 20}
DEFAULT_POINTS = 120
PAIRS = 60
TARGETS = (
    "first use",
    "small, from the batch",
    "middling, from the batch",
    "refilling",
    "to the batch's end",
    "after the batch's end",
    "bulk, one chunk",
    "bulk, one chunk and a tail",
    "bulk",
)


@functools.cache
def sizes() -> Sizes:
    tools.skip_without("cc", "cmake")
    try:
        return targets.sizes(cores.build())
    except NotHereError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Python judges: what is done ahead takes processes of its own."""
    sizes()
    with sweep.processes() as processes:
        yield processes


def with_every_fault(name: str) -> tuple[sweep.Tally, int]:
    target = targets.targets(sizes())[name]
    with Injector(cores.build(), target, sizes()) as injector:
        every = sweep.executions(injector.trace.instructions, 1)
        places = sweep.thin(every, POINTS.get(name, DEFAULT_POINTS))
        runs = [*sweep.singles(places), *sweep.pairs(every, PAIRS, seed=random.randrange(1 << 30))]
        return sweep.judge(injector, runs, sizes()), len(runs)


@ahead(with_every_fault)
@pytest.mark.parametrize("name", TARGETS)
def test_no_fault_shows_in_what_is_drawn(name: str, done: tuple[sweep.Tally, int]) -> None:
    tally, runs = done
    assert tally.violations[:10] == [], name
    assert tally.runs == runs
    # Two faults may follow each other too far apart for the second to be reached. Zeros are written
    # where the kernel lets nobody but root drop another process's pages.
    for kind in kinds.KINDS:
        ways = (Outcome.DONE.name, Outcome.PAGE_WRITTEN.name)
        assert sum(tally.outcomes[kind.letter, way] for way in ways) > 0, kind


def around_the_last_loads(name: str) -> sweep.Tally:
    target = targets.targets(sizes())[name]
    with Injector(cores.build(), target, sizes()) as injector:
        last = injector.trace.last_look
        runs = [
            Run(at, faults, gap)
            for at in range(last - 6, len(injector.trace.instructions))
            for faults in ("FG", "BG", "GF", "FR", "FD", "FS", "FF")
            for gap in (1, 2, 3, 5)
        ]
        return sweep.judge(injector, runs, sizes())


@ahead(around_the_last_loads)
@pytest.mark.parametrize("name", ["small, from the batch", "refilling"])
def test_a_fork_and_a_reseed_between_the_last_two_loads(name: str, done: sweep.Tally) -> None:
    """The child may have what its parent drew and then threw away: nobody else has it."""
    assert done.violations[:10] == [], name


@pytest.mark.parametrize("limit", ["WATCH=off", "MEMORY=wipe-on-fork", "VDSO=off"])
@pytest.mark.parametrize("name", ["small, from the batch", "refilling"])
def test_a_draw_looks_late_within_a_limit_too(name: str, limit: str) -> None:
    """A draw that no fault is injected into: what is judged is how it ends."""
    variable, value = limit.split("=")
    environment = os.environ | {f"VGETRANDOM_{variable}": value}
    target = targets.targets(sizes())[name]
    with Injector(cores.build(), target, sizes(), environment) as injector:
        assert late_looks(injector.trace) == []


def test_the_page_is_really_dropped() -> None:
    target = targets.targets(sizes())["refilling"]
    with Injector(cores.build(), target, sizes()) as injector:
        places = sweep.thin(sweep.executions(injector.trace.instructions, 1), 50)
        tally = sweep.judge(injector, [Run(at, "D") for at in places], sizes())
    written = tally.outcomes["D", Outcome.PAGE_WRITTEN.name]
    if written == len(places):
        pytest.skip("process_madvise(MADV_PAGEOUT) drops nothing here: zeros are written instead")
    assert written < len(places) / 2


def by_each_fault(seeded: defects.Seeded) -> dict[str, int]:
    library = cores.build(seeded.defect)
    target = targets.targets(sizes())[seeded.target]
    return {
        fault: sweep.caught(library, target, [fault], sizes()).violating_runs
        for fault in seeded.faults
    }


@ahead(by_each_fault)
@pytest.mark.parametrize("seeded", defects.SEEDED, ids=lambda seeded: seeded.defect.name)
def test_a_seeded_defect_is_caught(seeded: defects.Seeded, done: dict[str, int]) -> None:
    assert done.keys() == {*seeded.faults}
    assert all(done.values()), done


def is_as_the_model_has_it(kernel: Kernel) -> bool:
    """Whether what comes out is what must."""
    model = Model(kernel)
    for data in (b"", b"bytes of the caller's", b"more of them", b"more of them"):
        kernel.request(data)
        model.request(data)
        for size in (16, sizes().batch, sizes().bulk + 7, 16):
            if kernel.draw(size) != model.draw(size):
                return False
    return True


@pytest.mark.own_process
@pytest.mark.parametrize(
    "seeded", [None, *defects.SHOWN_BY_OUTPUT], ids=lambda seeded: seeded and seeded.defect.name
)
def test_a_seeded_defect_shows_in_what_comes_out(seeded: defects.Seeded | None) -> None:
    sizes()
    library = cores.build(seeded.defect if seeded else None)
    kernel = Kernel(libraries.load("scripted", library))
    assert is_as_the_model_has_it(kernel) == (seeded is None)


def test_the_actions_are_those_of_the_injector() -> None:
    header = (Path(__file__).parent / "actions.h").read_text()
    found = re.findall(r"^\t([A-Z_]+) = (\d+),", header, re.MULTILINE)
    assert {name: int(value) for name, value in found} == {a.name: a.value for a in Action}


def test_every_kind_is_of_its_own() -> None:
    every = [*kinds.KINDS, kinds.NOTHING]
    assert len({kind.letter for kind in every}) == len(every)
    assert len({kind.actions for kind in every}) == len(every)


def test_a_defect_that_no_longer_fits_the_source_is_an_error() -> None:
    sizes()
    defect = cores.Defect("nowhere", (cores.Replacement("csrc/draw.c", "no such text", ""),))
    with pytest.raises(RuntimeError, match="seed the defect anew"):
        cores.build(defect)


def test_what_other_sessions_build_in_this_tree_is_no_part_of_the_source() -> None:
    """Theirs comes and goes while this one builds."""
    cores.BUILD.mkdir(parents=True, exist_ok=True)
    gone = cores.BUILD / f"gone-{os.getpid()}.h"
    gone.symlink_to("nowhere")
    try:
        assert b"VGETRANDOM_VERSION" in cores.headers_of(cores.ROOT)
    finally:
        gone.unlink()
