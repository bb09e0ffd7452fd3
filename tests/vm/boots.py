# SPDX-License-Identifier: MIT
"""Which kernels are booted, how, what must come of it, and the table of what did."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vgetrandom
from support.recording import OUTSIDE, compiler_of
from vm import initramfs
from vm.kernels import NEWEST, Kernel, NotThereError, get
from vm.machine import ARCHITECTURES, Machine, Said

MODERN = {"memory": "droppable", "entropy": "vdso", "watch": "vdso-generation"}
OLD = {"memory": "wipe-on-fork", "entropy": "syscall", "watch": "none"}
NO_VDSO = {"memory": "droppable", "entropy": "syscall", "watch": "none"}
NOT_TRIED = "not tried: "  # how a row begins that is no failure
ALL = "early,checks,mlockall,pressure"
PACKAGE = "early,package"  # Python, with the package installed
VMGENID = ("-device", "vmgenid,guid=auto")
# A CPU that has no instruction for random numbers, and a kernel that takes no seed from qemu.
NOT_READY = ("-cpu", "max,rdrand=off,rdseed=off")
NOT_READY_APPEND = "random.trust_cpu=off random.trust_bootloader=off"


@dataclass(frozen=True)
class Boot:
    """One boot and what must be found in it."""

    kernel: Kernel
    expected: dict[str, str]
    title: str = ""
    append: str = ""
    options: tuple[str, ...] = ()
    memory: int = 96  # MiB; 64 are not enough for those of x86-64
    run: str = ALL
    seconds: float = 400

    @property
    def has_python(self) -> bool:
        """Whether it has Python and the package in its initramfs."""
        return "package" in self.run.split(",")


def with_package(version: str, expected: dict[str, str]) -> Boot:
    """Boot this kernel with the running interpreter and the package.

    Its initramfs is 60 MB, of which the kernel has two copies for a moment.
    """
    return Boot(Kernel(version), expected, "Python", memory=512, run=PACKAGE, seconds=800)


X86 = "amd64"
SHORT = Boot(Kernel("6.12"), MODERN)
BOOTS = (
    Boot(Kernel("6.1"), OLD),
    SHORT,
    Boot(Kernel("6.12"), MODERN | {"clones": "vmgenid"}, "VMGENID", options=VMGENID),
    Boot(Kernel("6.12"), NO_VDSO, "vdso=0", append="vdso=0"),
    Boot(
        Kernel("6.12"),
        MODERN | {"ready_at_start": "no"},
        "generator not ready",
        append=NOT_READY_APPEND,
        options=NOT_READY,
    ),
    Boot(Kernel("6.12"), NO_VDSO, "VGETRANDOM_VDSO=off", append="VGETRANDOM_VDSO=off"),
    Boot(Kernel("6.12"), MODERN | {"chacha20": "sse2"}, "without AVX", options=("-cpu", "qemu64")),
    Boot(Kernel("6.18.15"), MODERN),
    Boot(Kernel("6.19.14"), MODERN),
    Boot(Kernel("7.2"), MODERN),
    Boot(Kernel(NEWEST), MODERN),
    Boot(Kernel("6.12", "arm64"), MODERN | {"page_bytes": "4096"}),
    Boot(Kernel("6.12", "arm64", "-16k"), MODERN | {"page_bytes": "16384"}),
    Boot(Kernel(NEWEST, "arm64"), MODERN),
    with_package("6.1", OLD),
    with_package("6.12", MODERN),
    with_package(NEWEST, MODERN),
)

COLUMNS = (
    "kernel",
    "machine",
    "page",
    "boot",
    "interpreter",
    "ChaCha20",
    "memory",
    "entropy",
    "watch",
    "clones",
    "ready at start",
    "mlockall",
    "pressure: dropped",
    "checks",
    "failures",
    "time",
)


# What the guest says and the support table's record has under the same name.
SAID = ("kernel", "libc", "interpreter", "memory", "entropy", "watch", "clones", "chacha20")


@dataclass
class Row:
    """What came of one boot."""

    boot: Boot
    said: Said
    failures: list[str]
    seconds: float

    def cells(self) -> list[str]:
        """Return the table's columns."""
        said, boot = self.said, self.boot
        return [
            said["kernel"] or str(boot.kernel),
            said["machine"] or boot.kernel.architecture,
            said["page_bytes"],
            boot.title,
            said["interpreter"] or "C alone",
            said["chacha20"],
            said["memory"],
            said["entropy"],
            said["watch"],
            said["clones"],
            said["ready_at_start"],
            said["mlockall"],
            said["pressure"],
            str(len(said.all("passed"))),
            "; ".join(self.failures) or "none",
            f"{self.seconds:.0f} s",
        ]

    def record(self) -> dict[str, Any] | None:
        """Return the row of the support table's record (support/recording.py); None without one."""
        said, boot = self.said, self.boot
        if not said["kernel"]:
            return None
        compiler = compiler_of(Path(vgetrandom.get_library())) if boot.has_python else ""
        results = ["mlockall pins the memory"] if said["mlockall"] == "pinned" else []
        # Others than these may have paths in them.
        results += [failure for failure in self.failures if not OUTSIDE.search(failure)]
        return {name: said[name] for name in SAID} | {
            "architecture": said["machine"],
            "compiler": compiler or said["compiler"],
            "page": int(said["page_bytes"]),
            "setting": "" if boot.has_python else boot.title,
            "passed": len(said.all("passed")),
            "failed": len(self.failures) - len(said.all("why")),
            "skipped": len(said.all("skipped")),
            "errors": 0,
            "result": "; ".join(results),
        }


def line(cells: list[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def header(columns: tuple[str, ...]) -> str:
    """Return the beginning of a Markdown table."""
    return line(list(columns)) + "\n" + line(["---"] * len(columns))


def judge(boot: Boot, said: Said) -> list[str]:
    """Return what was not as it must be."""
    failures = [f"failed: {name}" for name in said.all("failed")]
    failures += said.all("why") + said.all("error")
    failures += [
        f"{name} is {said[name] or 'missing'}, not {value}"
        for name, value in boot.expected.items()
        if said[name] != value
    ]
    if not said.ended:
        failures.append(f"the guest did not come to its end: {said.lines[-1:]}")
    return failures


def run(boot: Boot, image: Path, directory: Path) -> Row:
    """Boot a kernel; return what came of it."""
    began = time.monotonic()
    architecture = boot.kernel.architecture
    initrd = initramfs.made(architecture, directory, with_python=boot.has_python)
    append = f"{boot.append} vm.run={boot.run}"
    with Machine(
        architecture, image, initrd, append, memory=boot.memory, options=boot.options
    ) as machine:
        said = machine.wait(boot.seconds)
    return Row(boot, said, judge(boot, said), time.monotonic() - began)


def try_to_run(boot: Boot, directory: Path) -> Row:
    """Boot a kernel; where it cannot be had, the row says so."""
    architecture = ARCHITECTURES[boot.kernel.architecture]
    if architecture.missing:
        return Row(boot, Said(), [f"{NOT_TRIED}not installed: {architecture.missing}"], 0)
    if boot.has_python and platform.machine() != architecture.machine:
        return Row(boot, Said(), [f"{NOT_TRIED}this Python is for {platform.machine()}"], 0)
    try:
        image = get(boot.kernel)
    except NotThereError as error:
        return Row(boot, Said(), [f"{NOT_TRIED}{error}"], 0)
    return run(boot, image, directory)
