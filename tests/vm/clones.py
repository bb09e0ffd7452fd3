# SPDX-License-Identifier: MIT
"""Machines that are saved once and resumed twice: what the two draw alike, and for how long.

The guest logs every draw in its memory (guest/clones.c), under a number that is the same in both;
the log is read from snapshots of that memory. Beside ours it has getrandom(2), the vDSO and a cache
as programs write it that find getrandom(2) too slow. What is drawn in one clone and anywhere in the
other's log after the save is a repetition.
"""

from __future__ import annotations

import struct
import subprocess
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm import initramfs
from vm.boots import NOT_TRIED
from vm.kernels import NEWEST, Kernel, NotThereError, get
from vm.machine import ARCHITECTURES, Machine, resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAGIC = b"vgetrandom clone log\0"
PAGE = 4096
START = 32
RECORD = struct.Struct("<QQQQ16s16s16s16s16s16s")
PER_PAGE = (PAGE - START) // RECORD.size
BATCH_DRAWS = 3040 // 16
MISSING = bytes(16)  # the vDSO's, where there is none; bulk, between its draws


@dataclass(frozen=True)
class Record:
    """One turn of the guest: a draw from each source."""

    number: int
    clock: int
    refills: int
    requests: int
    kernel: bytes
    vdso: bytes
    ours: bytes
    cache: bytes
    bulk_begins: bytes
    bulk_ends: bytes


# What a record has of each source. Of a draw in bulk its beginning and its end.
SOURCES = {
    "kernel": ("kernel",),
    "vdso": ("vdso",),
    "cache": ("cache",),
    "ours": ("ours",),
    "bulk": ("bulk_begins", "bulk_ends"),
}
OURS = ("ours", "bulk")


def read_log(memory: bytes) -> dict[int, Record]:
    """Find the log's pages in a snapshot; return the records by their numbers."""
    found: dict[int, Record] = {}
    for at in range(0, len(memory), PAGE):
        if not memory.startswith(MAGIC, at):
            continue
        for index in range(PER_PAGE):
            record = Record(*RECORD.unpack_from(memory, at + START + index * RECORD.size))
            if record.number:
                found[record.number] = record
    return found


@dataclass(frozen=True)
class Repeats:
    """What two clones drew alike from one source, in draws after the save."""

    count: int
    last: int  # the last one's place, or 0


@dataclass(frozen=True)
class Comparison:
    """Two clones beside each other."""

    draws: int  # by the slower one, after the save
    parted: int  # the first draw whose getrandom(2) bytes the other clone has not got, or 0
    repeats: dict[str, Repeats]
    after_parting: int  # draws of ours that repeat, from there on
    first_run: int | None  # the place of the first run of keystream in either
    clocks_apart: int | None  # ticks, at that run
    requested: tuple[int, int]  # each clone's first draw after reseed(additional), or 0
    after_request: int  # draws of ours that repeat, of those after their clone's call


def _of(record: Record, source: str) -> set[bytes]:
    return {getattr(record, name) for name in SOURCES[source]} - {MISSING}


def _values(log: dict[int, Record], source: str, after: int) -> set[bytes]:
    return {
        value for number, record in log.items() if number > after for value in _of(record, source)
    }


def _first(log: dict[int, Record], after: int, changed: Callable[[Record, Record], bool]) -> int:
    before = log[after]
    numbers = sorted(number for number in log if number > after)
    return next((number for number in numbers if changed(before, log[number])), 0)


def compare(saved: int, one: dict[int, Record], other: dict[int, Record]) -> Comparison:
    """Compare what two clones drew after the save, at which SAVED was the last whole record."""
    last = min(max(one), max(other))
    numbers = range(saved + 1, last + 1)
    places: dict[str, list[int]] = {}
    for source in SOURCES:
        others = _values(other, source, saved)
        places[source] = [n - saved for n in numbers if _of(one[n], source) & others]
    kernels = _values(other, "kernel", saved)
    parted = next((n - saved for n in numbers if one[n].kernel not in kernels), 0)
    # The record that the save interrupted may have a clock from before.
    run = max(_first(log, saved + 1, lambda a, b: b.refills != a.refills) for log in (one, other))
    requested, after_request = [], 0
    for log, its_clone in ((one, other), (other, one)):
        request = _first(log, saved, lambda a, b: b.requests != a.requests)
        requested.append(max(0, request - saved))
        if request:
            after_request += sum(
                len(_values(log, source, request - 1) & _values(its_clone, source, saved))
                for source in OURS
            )
    known_run = 0 < run <= last
    return Comparison(
        draws=last - saved,
        parted=parted,
        repeats={
            source: Repeats(len(found), found[-1] if found else 0)
            for source, found in places.items()
        },
        after_parting=sum(place >= parted > 0 for source in OURS for place in places[source]),
        first_run=run - saved if known_run else None,
        clocks_apart=abs(one[run].clock - other[run].clock) if known_run else None,
        requested=(requested[0], requested[1]),
        after_request=after_request,
    )


@dataclass(frozen=True)
class Scenario:
    """One kind of machine that is cloned, and what must hold."""

    title: str
    kernel: Kernel
    vmgenid: bool = False
    append: str = ""
    tell: bool = False  # each clone is given bytes of its own after it was resumed
    same_clock: bool = False  # the emulator counts instructions instead of time
    seconds: float = 10  # that each clone runs

    @property
    def options(self) -> tuple[str, ...]:
        """The emulator's, but for the ID."""
        # Without sleep, time jumps to the next timer: nothing depends on the host's clock.
        return ("-icount", "shift=3,sleep=off") if self.same_clock else ()


LINUX = Kernel("6.12")
ARM = Kernel("6.12", "arm64")
SCENARIOS = (
    Scenario("VMGENID", LINUX, vmgenid=True),
    Scenario("VMGENID, watch off", LINUX, vmgenid=True, append="VGETRANDOM_WATCH=off"),
    Scenario("no VMGENID", LINUX),
    Scenario("no VMGENID, reseed(additional)", LINUX, tell=True),
    Scenario("no VMGENID, equal clocks", LINUX, same_clock=True),
    Scenario("no VMGENID, equal clocks, reseed(additional)", LINUX, same_clock=True, tell=True),
    Scenario("VMGENID", Kernel("6.1"), vmgenid=True),
    Scenario("no VMGENID", Kernel("6.1")),
    Scenario("VMGENID", Kernel(NEWEST), vmgenid=True),
    Scenario("no VMGENID", Kernel(NEWEST)),
    Scenario("VMGENID", ARM, vmgenid=True),
    Scenario("no VMGENID", ARM),
    Scenario("no VMGENID, reseed(additional)", ARM, tell=True),
    Scenario("no VMGENID, equal clocks", ARM, same_clock=True),
)


def _device(scenario: Scenario) -> tuple[str, ...]:
    return ("-device", f"vmgenid,guid={uuid.uuid4()}") if scenario.vmgenid else ()


def clone(scenario: Scenario, image: Path, directory: Path) -> Comparison:
    """Boot a machine, save it while it draws, resume it twice; compare the two."""
    architecture = scenario.kernel.architecture
    initrd = initramfs.made(architecture, directory)
    append = f"mitigations=off {scenario.append} vm.run=clone"
    saved, snapshot = directory / "saved", directory / "snapshot"

    def start(*options: str) -> Machine:
        options = (*scenario.options, *_device(scenario), *options)
        return Machine(architecture, image, initrd, append, options=options)

    with start() as machine:
        machine.wait_for("logging", 240)
        time.sleep(2)
        machine.qmp("stop")
        at = max(read_log(machine.snapshot(snapshot)))
        machine.save(saved)
    logs = []
    for number in range(2):
        with start(*resumed(saved)) as machine:
            machine.wait_until_loaded()
            machine.qmp("cont")
            if scenario.tell:
                # Soon, while the kernels still draw alike.
                time.sleep(0.1)
                machine.type(f"instance {number}")
            time.sleep(scenario.seconds)
            machine.qmp("stop")
            logs.append(read_log(machine.snapshot(snapshot)))
    saved.unlink()
    return compare(at, *logs)


# The record that the save interrupted, then what the batch still had.
BATCH = BATCH_DRAWS + 1


INCONCLUSIVE = "this could not fail"
"""Ends what says that a pair of clones has shown nothing: one kernel reseeded too early, say."""

ATTEMPTS = 3


def _judge_vmgenid(scenario: Scenario, result: Comparison) -> Iterator[str]:
    watched = "WATCH" not in scenario.append and scenario.kernel.version != "6.1"
    if not result.parted:
        yield "the kernels did not part"
    elif watched and result.after_parting:
        yield f"{result.after_parting} draws repeat after the kernels parted"
    elif result.repeats["ours"].last >= result.parted + BATCH:
        yield "more than a batch repeats after the kernels parted"
    # Its key has the kernel's entropy of that moment, watched or not.
    elif result.repeats["bulk"].last >= result.parted:
        yield "a draw in bulk repeats after the kernels parted"


def _judge_untold(scenario: Scenario, result: Comparison) -> Iterator[str]:
    ours, bulk = result.repeats["ours"], result.repeats["bulk"]
    if result.repeats["kernel"].last <= BATCH:
        yield f"the kernels parted by themselves: {INCONCLUSIVE}"
    if not scenario.same_clock and ours.last > BATCH:
        yield "more than a batch repeats although the clocks differ"
    # Each is a run of its own. The first may be the one that the save interrupted.
    if not scenario.same_clock and bulk.last > 1:
        yield "a draw in bulk repeats although the clocks differ"
    if scenario.same_clock and not scenario.tell and min(ours.last, bulk.last) <= BATCH:
        yield f"nothing repeats with equal clocks: {INCONCLUSIVE}"


def judge(scenario: Scenario, result: Comparison) -> list[str]:
    """Return what was not as it must be."""
    rules = _judge_vmgenid if scenario.vmgenid else _judge_untold
    failures = list(rules(scenario, result))
    if result.draws < 2 * BATCH:
        failures.append("too few draws to tell")
    if scenario.tell and not all(result.requested):
        failures.append("the bytes did not arrive")
    if scenario.tell and result.after_request:
        failures.append(f"{result.after_request} draws repeat after reseed(additional)")
    return failures


COLUMNS = (
    "clones of",
    "Linux",
    "draws",
    "getrandom(2): repeats, last",
    "vDSO",
    "a cache",
    "ours",
    "ours, 64 KiB at once",
    "kernels parted at",
    "ours after that",
    "first run at",
    "clocks apart there",
    "reseed(additional) at",
    "ours after that",
    "failures",
)


def cells(scenario: Scenario, result: Comparison, image: Path, failures: list[str]) -> list[str]:
    """Return the table's columns."""
    repeats = [
        f"{found.count:,}, {found.last:,}" if found.count else "none"
        for found in (result.repeats[source] for source in SOURCES)
    ]
    told, parted = all(result.requested), result.parted if scenario.vmgenid else 0
    apart = result.clocks_apart
    return [
        scenario.title,
        image.name.split("-", 2)[2],
        f"{result.draws:,}",
        *repeats,
        f"{parted:,}" if parted else "",
        f"{result.after_parting:,}" if parted else "",
        f"{result.first_run:,}" if result.first_run else "",
        f"{apart:,} ticks" if apart is not None else "",
        " and ".join(f"{place:,}" for place in result.requested) if told else "",
        f"{result.after_request:,}" if told else "",
        "; ".join(failures) or "none",
    ]


def _missing(scenario: Scenario) -> str:
    """Return what this machine lacks for a scenario, or nothing."""
    architecture = ARCHITECTURES[scenario.kernel.architecture]
    if architecture.missing:
        return f"not installed: {architecture.missing}"
    if scenario.vmgenid:
        command = [architecture.qemu, "-device", "help"]
        devices = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if '"vmgenid"' not in devices:
            return f"this {architecture.qemu} has no such device"
    return ""


def try_to_clone(scenario: Scenario, directory: Path) -> list[str]:
    """Return a scenario's row, which says so where the kernel or a device cannot be had."""

    def without_result(why: str) -> list[str]:
        return [scenario.title, str(scenario.kernel), *[""] * (len(COLUMNS) - 3), why]

    if missing := _missing(scenario):
        return without_result(f"{NOT_TRIED}{missing}")
    try:
        image = get(scenario.kernel)
        for _ in range(ATTEMPTS):
            result = clone(scenario, image, directory)
            failures = judge(scenario, result)
            if not any(failure.endswith(INCONCLUSIVE) for failure in failures):
                break
    except NotThereError as error:
        return without_result(f"{NOT_TRIED}{error}")
    except (TimeoutError, RuntimeError) as error:
        return without_result(str(error).splitlines()[0])
    return cells(scenario, result, image, failures)
