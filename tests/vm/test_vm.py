# SPDX-License-Identifier: MIT
"""One kernel is booted, if one was fetched before (make vm-kernel); the rest is make test-vm.

That also tests what the tables are made of: which packages have a kernel, and what repeats in logs.
"""

from __future__ import annotations

import gzip
import platform
import shutil
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path, PurePosixPath

import pytest

import vgetrandom
from vm import boots, clones, initramfs, kernels
from vm.__main__ import main
from vm.boots import MODERN, OLD, Boot, judge, run
from vm.clones import (
    BATCH_DRAWS,
    MAGIC,
    MISSING,
    PAGE,
    PER_PAGE,
    RECORD,
    START,
    Record,
    Scenario,
    compare,
    read_log,
)
from vm.clones import judge as judge_clones
from vm.kernels import NEWEST, Kernel, candidates, kept
from vm.machine import ARCHITECTURES, Architecture, Said

NAMES = [
    "linux-image-6.1.0-55-amd64",
    "linux-image-6.1.0-56-amd64",
    "linux-image-6.1.0-56-amd64-unsigned",
    "linux-image-6.1.0-56-cloud-amd64",
    "linux-image-6.12-amd64",
    "linux-image-6.12.90+deb12.1-amd64",
    "linux-image-6.12.117+deb12-amd64",
    "linux-image-6.12.117+deb12-arm64-16k",
    "linux-image-6.19.14+deb13-amd64",
    "linux-binary-6.19.14+deb13-amd64",
    "linux-binary-7.3-amd64",
    "linux-binary-7.3.4+deb13-amd64",
    "linux-binary-7.3.4+deb13-rt-amd64",
    "linux-binary-unsigned-7.3.4+deb13-amd64",
]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel("6.1"), ["linux-image-6.1.0-56-amd64", "linux-image-6.1.0-55-amd64"]),
        (
            Kernel("6.12"),
            ["linux-image-6.12.117+deb12-amd64", "linux-image-6.12.90+deb12.1-amd64"],
        ),
        (Kernel("6.12", "arm64", "-16k"), ["linux-image-6.12.117+deb12-arm64-16k"]),
        (Kernel("6.19.14"), ["linux-binary-6.19.14+deb13-amd64"]),
        (Kernel("5.10"), []),
    ],
    ids=str,
)
def test_the_packages_of_a_kernel(kernel: Kernel, expected: list[str]) -> None:
    assert candidates(kernel, NAMES) == expected


def test_the_newest_kernel() -> None:
    assert candidates(Kernel(NEWEST), NAMES)[0] == "linux-binary-7.3.4+deb13-amd64"


def rows_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what `python -m vm` says of machines that it need not have, without failing."""
    assert main(arguments) == 0
    return capsys.readouterr().out.splitlines()[2:]


def test_a_row_says_that_debian_has_no_such_kernel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "_names", lambda: NAMES)
    monkeypatch.setattr(boots, "BOOTS", (Boot(Kernel("5.10"), OLD),))
    monkeypatch.setattr(clones, "SCENARIOS", (Scenario("no VMGENID", Kernel("5.10")),))
    monkeypatch.setattr(Architecture, "missing", "")
    why = "not tried: no package of Debian's has Linux 5.10 amd64"
    (row,) = rows_of(["boots"], capsys)
    assert row.startswith("| 5.10 amd64 | amd64 |")
    assert why in row
    (row,) = rows_of(["clones"], capsys)
    assert why in row


def test_a_row_says_that_no_mirror_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the next run asks again: apt itself only warns, and that was taken for done."""
    monkeypatch.setattr(kernels, "HOME", tmp_path)
    monkeypatch.setattr(kernels, "MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setattr(kernels, "RETRIES", 0)
    monkeypatch.setattr(kernels, "_names", kernels._names.__wrapped__)
    monkeypatch.setattr(boots, "BOOTS", (Boot(Kernel("6.12"), MODERN),))
    monkeypatch.setattr(Architecture, "missing", "")
    (row,) = rows_of(["boots"], capsys)
    assert (
        "not tried: no list of packages could be fetched from http://127.0.0.1:9/debian" in row
        or "not tried: apt-get is not installed" in row
    )
    assert not (tmp_path / "apt" / "updated").exists()


def said(**values: str) -> Said:
    result = Said()
    for name, value in (*values.items(), ("end", "")):
        result.add(f"[    1.0] kernel: noise @{name}={value}\r")
    return result


def test_a_boot_that_is_as_it_must_be() -> None:
    assert judge(Boot(Kernel("6.12"), MODERN), said(**MODERN)) == []


def test_a_boot_that_is_not() -> None:
    boot = Boot(Kernel("6.12"), MODERN)
    assert len(judge(boot, said(**OLD))) == 3
    assert judge(boot, said(**MODERN, failed="forks")) == ["failed: forks"]
    assert judge(replace(boot, expected={}), Said())


def test_one_kernel(tmp_path: Path) -> None:
    architecture = ARCHITECTURES["amd64"]
    if architecture.missing:
        pytest.skip(f"not installed: {architecture.missing} (on Debian: make tools-vm)")
    images = kept(Kernel(NEWEST))
    if not images:
        pytest.skip("no kernel was fetched before (make vm-kernel)")
    # Not memory pressure, which takes its time.
    boot = Boot(Kernel(NEWEST), MODERN, run="early,checks,mlockall", seconds=150)
    row = run(boot, images[0], tmp_path)
    assert row.failures == [], "\n".join(row.said.lines)
    assert len(row.said.all("passed")) == 12


def test_the_guest_s_python_needs_nothing_else(tmp_path: Path) -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("libraries are looked for as glibc's ldd tells them")
    if sys.implementation.name != "cpython":
        pytest.skip("the guest's Python is CPython")
    for name, content in initramfs.python().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
    home = tmp_path / initramfs.HOME
    program = (
        "import sys, vgetrandom as v, secrets, uuid, json\n"
        "print(v.__file__, secrets.__file__, v.info().memory)"
    )
    done = subprocess.run(
        [home / "bin" / "python3", "-c", program],
        env={"PYTHONHOME": str(home), "LD_LIBRARY_PATH": str(home / "libraries")},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, standard, memory = done.stdout.split()
    assert package.startswith(str(home))
    assert standard.startswith(str(home))
    assert memory == vgetrandom.info().memory


def test_an_initramfs_is_as_cpio_reads_it(tmp_path: Path) -> None:
    cpio = shutil.which("cpio")
    if not cpio:
        pytest.skip("not installed: cpio")
    path = tmp_path / "initramfs"
    initramfs.write(path, b"program", {PurePosixPath("a/b/c"): b"content"})
    unpacked = gzip.decompress(path.read_bytes())
    listing = subprocess.run(
        [cpio, "-it", "--quiet"], input=unpacked, capture_output=True, check=True
    )
    assert listing.stdout.decode().split() == ["init", "a", "a/b", "a/b/c"]


# ---- logs of clones ----

SAVED = 10
DRAWS = 1000


def a_log(clone: int, same: dict[str, int], tick: int = 0) -> dict[int, Record]:
    """Return a log in which each source draws alike in all clones up to a place after the save."""

    def value(source: str, number: int) -> bytes:
        own = clone if number > SAVED + same.get(source, 0) else 0
        return f"{source[0]}{own}{number}".encode().ljust(16)

    return {
        number: Record(
            number,
            clock=number * 100 + tick,
            refills=number // BATCH_DRAWS,
            requests=int(number > SAVED + same.get("request", DRAWS)),
            kernel=value("kernel", number),
            vdso=value("vdso", number),
            ours=value("ours", number),
            cache=value("cache", number),
            bulk_begins=value("bulk", number) if number % 16 == 8 else MISSING,
            bulk_ends=value("ends", number) if number % 16 == 8 else MISSING,
        )
        for number in range(1, SAVED + DRAWS + 1)
    }


def compared(**same: int) -> list[str]:
    """Return what is wrong with two clones of a machine that has VMGENID or not."""
    scenario = Scenario(
        "", Kernel("6.12"), vmgenid=bool(same.pop("vmgenid", 0)), tell="request" in same
    )
    return judge_clones(scenario, compare(SAVED, a_log(1, same), a_log(2, same, 7)))


def test_clones_that_part() -> None:
    assert compared(kernel=DRAWS, ours=BATCH_DRAWS) == []
    assert compared(kernel=5, ours=5, vmgenid=1) == []
    assert compared(kernel=DRAWS, ours=20, request=20) == []


def test_clones_that_do_not() -> None:
    assert compared(kernel=DRAWS, ours=BATCH_DRAWS + 2)
    assert compared(kernel=DRAWS, bulk=14)
    assert compared(kernel=DRAWS, ends=14)
    assert compared(kernel=5, bulk=14, vmgenid=1)
    assert compared(kernel=5, ours=7, vmgenid=1)
    assert compared(kernel=DRAWS, ours=30, request=20)


def test_a_comparison_s_figures() -> None:
    log, other = a_log(1, {"kernel": 300}), a_log(2, {"kernel": 300}, 7)
    result = compare(SAVED, log, other)
    assert (result.draws, result.parted) == (DRAWS, 301)
    assert (result.repeats["kernel"].count, result.repeats["kernel"].last) == (300, 300)
    assert (result.first_run, result.clocks_apart) == (BATCH_DRAWS - SAVED, 7)


def test_a_value_drawn_under_another_number_is_a_repetition_too() -> None:
    log, other = a_log(1, {}), a_log(2, {})
    other[600] = replace(other[600], ours=log[SAVED + 50].ours)
    assert compare(SAVED, log, other).repeats["ours"].last == 50


def test_a_log_is_found_in_memory() -> None:
    log = a_log(0, {})
    pages = []
    for first in range(1, 2 * PER_PAGE, PER_PAGE):
        records = b"".join(
            RECORD.pack(*astuple(r))
            for r in (log[number] for number in range(first, first + PER_PAGE))
        )
        pages.append((MAGIC.ljust(START, b"\0") + records).ljust(PAGE, b"\0"))
    memory = bytes(PAGE) + pages[1] + b"x" * PAGE + pages[0]
    assert read_log(memory) == {number: log[number] for number in range(1, 2 * PER_PAGE + 1)}
