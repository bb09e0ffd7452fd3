# SPDX-License-Identifier: MIT
"""A machine of qemu's that runs the guest program as its process 1, and what it says."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
GUEST = ROOT / "tests" / "vm" / "guest"


@dataclass(frozen=True)
class Architecture:
    """How to compile for a kind of machine, and how to emulate it."""

    machine: str  # as uname(2) has it
    compiler: str
    qemu: str
    options: tuple[str, ...]
    console: str
    memory_start: int

    @property
    def missing(self) -> str:
        """Which of the programs are not installed."""
        return ", ".join(tool for tool in (self.compiler, self.qemu) if not shutil.which(tool))


ARCHITECTURES = {
    "amd64": Architecture(
        "x86_64", "x86_64-linux-gnu-gcc", "qemu-system-x86_64", ("-M", "pc"), "ttyS0", 0
    ),
    # The first of qemu's with pages of 16 KiB that is not slow to emulate.
    "arm64": Architecture(
        "aarch64",
        "aarch64-linux-gnu-gcc",
        "qemu-system-aarch64",
        ("-M", "virt", "-cpu", "neoverse-n1"),
        "ttyAMA0",
        0x40000000,
    ),
}


def compile_guest(architecture: str, directory: Path) -> Path:
    """Compile the guest program with the library in it; return it."""
    program = directory / f"guest-{architecture}"
    sources = [
        *(ROOT / "csrc").glob("*.c"),
        *(ROOT / "csrc" / "chacha20").glob("*.c"),
        *GUEST.glob("*.c"),
    ]
    options = ["-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread"]
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    compiler = ARCHITECTURES[architecture].compiler
    subprocess.run(
        ["nice", "-n", "19", compiler, *options, *includes, *sources, "-o", program], check=True
    )
    return program


@dataclass
class Said:
    """What the guest printed: its results, and everything, for whoever looks for a reason."""

    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Take one line of the console, which the kernel writes to as well."""
        self.lines.append(line)
        if match := re.search(r"@([a-z_0-9]+)(?:=(.*))?$", line):
            name, value = match[1], (match[2] or "").strip()
            self.values[name] = value
            self.lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        """Return the last value of this name, or nothing."""
        return self.values.get(name, "")

    def all(self, name: str) -> list[str]:
        """Return all values of this name."""
        return self.lists.get(name, [])

    @property
    def ended(self) -> bool:
        """Whether the guest came to its end."""
        return "end" in self.values


# Without no_timer_check x86 panics when the emulated timer is late, as it is on a busy machine.
APPEND = "quiet loglevel=4 panic=-1 no_timer_check"


class Machine:
    """One emulator, at the lowest priority."""

    def __init__(  # noqa: PLR0913 - a machine has many parts
        self,
        architecture: str,
        kernel: Path,
        initrd: Path,
        append: str,
        *,
        memory: int = 160,
        options: tuple[str, ...] = (),
    ) -> None:
        """Start it; MEMORY is in MiB."""
        kind = ARCHITECTURES[architecture]
        self.memory, self.memory_start = memory, kind.memory_start
        self._directory = tempfile.TemporaryDirectory(prefix="vgetrandom-vm-")
        control = Path(self._directory.name) / "qmp"
        cpu = () if "-cpu" in (*kind.options, *options) else ("-cpu", "max")
        command = [
            *("nice", "-n", "19", kind.qemu, *kind.options, *cpu, "-accel", "tcg"),
            *("-m", str(memory), "-smp", "1", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-serial", "stdio", "-qmp", f"unix:{control},server=on,wait=off"),
            *("-kernel", str(kernel), "-initrd", str(initrd)),
            *("-append", f"console={kind.console} {APPEND} {append}"),
            *options,
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.said = Said()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._control_path = control
        self._control: socket.socket | None = None
        self._answers: Iterator[str] = iter(())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the emulator, whatever it is doing."""
        if self._control:
            self._control.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._directory.cleanup()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.add(line.rstrip("\r\n"))

    def wait(self, seconds: float) -> Said:
        """Wait until the guest has turned the machine off, or for so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            self._reader.join()
        return self.said

    def wait_for(self, name: str, seconds: float) -> None:
        """Wait until the guest has printed a value of this name."""
        end = time.monotonic() + seconds
        while name not in self.said.values:
            if time.monotonic() > end or self._process.poll() is not None:
                console = "\n".join(self.said.lines[-20:])
                message = f"the guest did not say {name} in {seconds:.0f} s:\n{console}"
                raise TimeoutError(message)
            time.sleep(0.2)

    def type(self, line: str) -> None:
        """Write to the guest's console."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def qmp(self, command: str, **arguments: object) -> Any:
        """Give the emulator a command; return its answer."""
        if not self._control:
            self._connect()
        assert self._control is not None
        message = {"execute": command, "arguments": arguments}
        self._control.sendall(json.dumps(message).encode() + b"\n")
        for line in self._answers:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
        message_lost = f"{command}: the emulator has gone"
        raise RuntimeError(message_lost)

    def _connect(self) -> None:
        end = time.monotonic() + 60
        while True:
            self._control = socket.socket(socket.AF_UNIX)
            try:
                self._control.connect(str(self._control_path))
                break
            except OSError:
                self._control.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self._control.settimeout(120)
        self._answers = iter(self._control.makefile())
        next(self._answers)  # the greeting
        self.qmp("qmp_capabilities")

    def save(self, path: Path) -> None:
        """Write the stopped machine to a file, from which others can be resumed."""
        self.qmp("migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
        end = time.monotonic() + 120
        while (status := self.qmp("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > end:
                message = f"the machine could not be saved: {status}"
                raise RuntimeError(message)
            time.sleep(0.2)

    def wait_until_loaded(self) -> None:
        """Wait until a machine that was started with `resumed` has all of the saved one."""
        end = time.monotonic() + 120
        while self.qmp("query-status")["status"] == "inmigrate":
            if time.monotonic() > end:
                message = "the saved machine was not loaded in two minutes"
                raise TimeoutError(message)
            time.sleep(0.1)

    def snapshot(self, path: Path) -> bytes:
        """Return all of the stopped machine's memory."""
        self.qmp("pmemsave", val=self.memory_start, size=self.memory * MIB, filename=str(path))
        content = path.read_bytes()
        path.unlink()
        return content


def resumed(path: Path) -> tuple[str, ...]:
    """Return the options of a machine that goes on from a saved one."""
    return ("-incoming", f"exec:cat {shlex.quote(str(path))}")
