# SPDX-License-Identifier: MIT
"""info().clones: which device would report that the machine was cloned; a note where none does."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

import vgetrandom
from support.libraries import hooked

INFO = vgetrandom.info()
NOT_LOOKED_FOR, BOUND, MISSING, UNKNOWN = range(4)
own_process = pytest.mark.own_process


def find(buses: Path) -> int:
    _, lib = hooked()
    return int(lib.hook_clones_find_vmgenid(str(buses).encode()))


def a_bus(path: Path, name: str, *, driver: bool = False) -> Path:
    """A bus of a sysfs, with a driver that has no device yet."""
    drivers = path / name / "drivers"
    drivers.mkdir(parents=True)
    (drivers / "another").mkdir()
    if driver:
        (drivers / "vmgenid").mkdir()
        for file in ("bind", "unbind", "uevent"):
            (drivers / "vmgenid" / file).touch()
    return drivers / "vmgenid"


def a_sysfs(path: Path, bus: str = "platform") -> Path:
    """Return where the driver's devices belong."""
    for name in ("acpi", "cpu", "platform", "z" * 200):
        if name != bus:
            a_bus(path, name)
    return a_bus(path, bus, driver=True)


def test_the_value_is_a_documented_one() -> None:
    assert INFO.clones in ("vmgenid", "vmclock", "none", "unknown")


def test_the_value_agrees_with_this_machine_s_sysfs() -> None:
    if not Path("/sys/bus").is_dir():
        assert INFO.clones in ("vmclock", "unknown")
        return
    found = Path("/sys/bus").glob("*/drivers/vmgenid/*")
    devices = [path for path in found if path.is_symlink() and path.name != "module"]
    assert (INFO.clones == "vmgenid") == bool(devices)
    assert find(Path("/sys/bus")) == (BOUND if devices else MISSING)


@pytest.mark.parametrize("bus", ["acpi", "platform", "z" * 200])
def test_a_device_is_found_on_any_bus(tmp_path: Path, bus: str) -> None:
    driver = a_sysfs(tmp_path, bus)
    assert find(tmp_path) == MISSING
    (driver / "VMGENCTR:00").symlink_to("../../../../devices/VMGENCTR:00")
    assert find(tmp_path) == BOUND


def test_a_driver_s_module_is_no_device(tmp_path: Path) -> None:
    (a_sysfs(tmp_path) / "module").symlink_to("../../../../module/vmgenid")
    assert find(tmp_path) == MISSING


def test_a_device_is_found_among_many(tmp_path: Path) -> None:
    driver = a_sysfs(tmp_path)
    for number in range(100):
        (driver / f"{number:0200}").touch()
    (driver / ("d" * 255)).symlink_to("nowhere")
    assert find(tmp_path) == BOUND


def test_without_a_driver_there_is_no_device(tmp_path: Path) -> None:
    a_bus(tmp_path, "platform")
    assert find(tmp_path) == MISSING


def test_without_a_sysfs_it_is_unknown(tmp_path: Path) -> None:
    assert find(tmp_path / "nowhere") == UNKNOWN
    (tmp_path / "file").touch()
    assert find(tmp_path / "file" / "bus") == UNKNOWN


@own_process
def test_without_descriptors_it_is_looked_for_again_later(tmp_path: Path) -> None:
    (a_sysfs(tmp_path) / "device").symlink_to("nowhere")
    # One for the list of buses, one for the driver's directory.
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    while (next_one := os.open("/dev/null", os.O_RDONLY)) < highest:
        pass  # no gaps below
    os.close(next_one)
    for left, answer in enumerate([NOT_LOOKED_FOR, NOT_LOOKED_FOR, BOUND]):
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one + left, next_one + 2))
        assert find(tmp_path) == answer, left


def test_a_note_says_that_it_is_missing() -> None:
    told = any("clone" in note for note in INFO.notes)
    assert told == (INFO.clones != "vmgenid" or INFO.watch == "none")
