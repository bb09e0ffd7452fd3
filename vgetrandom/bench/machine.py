# SPDX-License-Identifier: MIT
"""The header of a run: what a reader must know about the machine to judge the numbers."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vgetrandom import _proc

from . import reach


def _read(path: Path) -> str:
    """Read a file of the kernel; empty if it is missing, as in some sandboxes, or unreadable."""
    try:
        return _proc.text(path).strip()
    except OSError:
        return ""


def _cpu() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def libc() -> str:
    """Name the C library and its version."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (OSError, ValueError):
        return " ".join(platform.libc_ver()).strip() or "unknown"


def _mitigations() -> dict[str, str]:
    """What the kernel says about each hardware vulnerability that affects this CPU."""
    folder = Path("/sys/devices/system/cpu/vulnerabilities")
    told = {file.name: _read(file) for file in sorted(folder.glob("*"))}
    return {name: text for name, text in told.items() if text not in ("", "Not affected")}


def _version() -> str:
    try:
        return version("vgetrandom")
    except PackageNotFoundError:
        return "not installed"


def cores() -> int:
    """Count the cores that this process may use, or all if Python cannot tell (PyPy)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def interpreter() -> str:
    """Name the running interpreter and its version."""
    name, version = platform.python_implementation(), platform.python_version()
    if hasattr(sys, "pypy_version_info"):
        ours = ".".join(str(part) for part in sys.pypy_version_info[:3])
        return f"{name} {ours} (Python {version})"
    return f"{name} {version}{FREE_THREADED if _free_threaded() else ''}"


FREE_THREADED = " free-threaded"
"""How the names of interpreters end that were built without a GIL."""


def _free_threaded() -> bool:
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_came_back() -> bool:
    """Whether a free-threaded interpreter has a GIL: an import or PYTHON_GIL=1 turned it on."""
    enabled: bool = getattr(sys, "_is_gil_enabled", bool)()
    return _free_threaded() and enabled


def describe() -> dict[str, Any]:
    """Describe this machine and interpreter.

    Returns:
        A JSON object, without host names and paths.
    """
    import vgetrandom

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": cores(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": libc(),
        "python": interpreter(),
        "getrandom": {
            f"os.{name}": reach.how(getattr(os, name))
            for name in ("urandom", "getrandom")
            if hasattr(os, name)  # PyPy has only the first
        },
        "vgetrandom": {"version": _version(), **asdict(vgetrandom.info())},
        "mitigations": _mitigations(),
    }


def header(machine: dict[str, Any]) -> list[tuple[str, str]]:
    """Format the description for a reader.

    Args:
        machine: What `describe` returned and the run added.

    Returns:
        Labels with their text.
    """
    ours = dict(machine["vgetrandom"])
    notes = ours.pop("notes", ()) or ()
    vulnerable = [k for k, text in machine["mitigations"].items() if text.startswith("Vulnerable")]
    active = [k for k in machine["mitigations"] if k not in vulnerable]
    return [
        ("cpu", f"{machine['cpu']}, {machine['cores']} cores"),
        ("kernel", machine["kernel"]),
        ("libc", machine["libc"]),
        ("python", machine["python"]),
        *((name, f"reached by {how}") for name, how in machine["getrandom"].items()),
        ("vgetrandom", ", ".join(f"{name} {value}" for name, value in ours.items())),
        *(("note", str(note)) for note in notes),
        ("mitigations", ", ".join(active) or "none"),
        *([("vulnerable", ", ".join(vulnerable))] if vulnerable else []),
        *(("absent", f"{name}: {reason}") for name, reason in machine.get("absent", {}).items()),
    ]
