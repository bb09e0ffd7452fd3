# SPDX-License-Identifier: MIT
"""Which kernels are booted, how, what must come of it, and the table of what did."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vm.kernels import NEWEST, Kernel, NotThereError, get
from vm.machine import ARCHITECTURES, Machine, Said, compile_guest, initramfs

if TYPE_CHECKING:
    from pathlib import Path

MODERN = {"memory": "droppable", "entropy": "vdso", "watch": "vdso-generation"}
OLD = {"memory": "wipe-on-fork", "entropy": "syscall", "watch": "none"}
NO_VDSO = {"memory": "droppable", "entropy": "syscall", "watch": "none"}
ALL = "early,checks,mlockall,pressure"
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
    memory: int = 160  # MiB
    run: str = ALL


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
    Boot(Kernel("6.12", "arm64"), MODERN | {"page_bytes": "4096"}, memory=256),
    Boot(Kernel("6.12", "arm64", "-16k"), MODERN | {"page_bytes": "16384"}, memory=256),
    Boot(Kernel(NEWEST, "arm64"), MODERN, memory=256),
)

COLUMNS = (
    "kernel",
    "machine",
    "page",
    "boot",
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


def run(boot: Boot, image: Path, directory: Path, seconds: float = 400) -> Row:
    """Boot a kernel; return what came of it."""
    began = time.monotonic()
    architecture = boot.kernel.architecture
    initrd = directory / f"guest-{architecture}.cpio.gz"
    if not initrd.exists():
        initramfs(compile_guest(architecture, directory), directory)
    append = f"{boot.append} vm.run={boot.run}"
    with Machine(
        architecture, image, initrd, append, memory=boot.memory, options=boot.options
    ) as machine:
        said = machine.wait(seconds)
    return Row(boot, said, judge(boot, said), time.monotonic() - began)


def try_to_run(boot: Boot, directory: Path) -> Row:
    """Boot a kernel; where it cannot be had, the row says so."""
    missing = ARCHITECTURES[boot.kernel.architecture].missing
    if missing:
        return Row(boot, Said(), [f"not tried: not installed: {missing}"], 0)
    try:
        image = get(boot.kernel)
    except NotThereError as error:
        return Row(boot, Said(), [f"not tried: {error}"], 0)
    return run(boot, image, directory)
