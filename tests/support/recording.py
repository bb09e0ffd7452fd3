# SPDX-License-Identifier: MIT
"""Records of what was run where, from which bench/support_table.py makes the support table."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
import resource
import shlex
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.places import ROOT

FIELDS: dict[str, type] = {
    "kernel": str,
    "libc": str,
    "architecture": str,
    "interpreter": str,
    "compiler": str,
    "page": int,
    "memory": str,
    "entropy": str,
    "watch": str,
    "clones": str,
    "chacha20": str,
    "setting": str,
    "passed": int,
    "failed": int,
    "skipped": int,
    "errors": int,
    "result": str,
}
"""What a row has, all of it. `interpreter` is empty for the C core alone."""

COUNTED = {"passed": "passed", "failed": "failed", "skipped": "skipped", "error": "errors"}
"""pytest's word for a result, and the record's."""

OUTSIDE = re.compile(r"(?:^|[\s=:,'\"(])(?:/|~|\.\./)")
"""A path that is not in the tree: of this machine, and of no use to a reader."""


def write(path: Path, *, command: str, how: str, rows: list[dict[str, Any]]) -> None:
    """Write the record of a run of today, or nothing.

    Args:
        path: The file.
        command: What repeats the run, in the checkout.
        how: What was run, without counts: the same words for the same thing.
        rows: Where, and what came of it (FIELDS).

    Raises:
        ValueError: It is not what a record must be.
    """
    today = dt.datetime.now(dt.UTC).date().isoformat()
    record = {"command": command, "date": today, "how": how, "rows": rows}
    check(record)
    # Whole or not at all, and an older record stays until then.
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)


def check(record: Any) -> None:
    """See whether this is a record.

    Raises:
        ValueError: It is none; the message says why.
    """
    if set(record) != {"command", "date", "how", "rows"} or not record["rows"]:
        raise ValueError(f"a record has a command, a date, how, and rows: {sorted(record)}")
    dt.date.fromisoformat(record["date"])
    for row in record["rows"]:
        wrong = {key for key in {*row, *FIELDS} if type(row.get(key)) is not FIELDS.get(key)}
        if wrong:
            raise ValueError(f"missing, unknown or of the wrong type: {sorted(wrong)}")
    texts = [value for part in (record, *record["rows"]) for value in part.values()]
    for text in texts:
        if isinstance(text, str) and OUTSIDE.search(text):
            raise ValueError(f"a path of this machine: {text!r}")


def compiler_of(library: Path) -> str:
    """Say what compiled an ELF file, as its section .comment has it."""
    content = library.read_bytes()
    # Objects of the C library's start-up code say GCC also where clang made all others.
    for name, pattern in (
        ("clang", rb"clang version (\d[\d.]*)"),
        ("gcc", rb"GCC: \(.*?\) ([\d.]+)"),
    ):
        versions = re.findall(pattern, content)
        if versions:
            return f"{name} {versions[-1].decode()}"
    return "unknown"


def here() -> dict[str, Any]:
    """Return this machine's, interpreter's and package's part of a row."""
    import vgetrandom
    from vgetrandom.bench import machine

    info = vgetrandom.info()
    return {
        "kernel": platform.release(),
        "libc": f"musl{musl_version()}" if runs_on_musl() else machine.libc(),
        "architecture": platform.machine(),
        "interpreter": machine.interpreter(),
        "compiler": compiler_of(Path(vgetrandom.get_library())),
        "page": os.sysconf("SC_PAGE_SIZE"),
        "memory": info.memory,
        "entropy": info.kernel_entropy,
        "watch": info.watch,
        "clones": info.clones,
        "chacha20": info.chacha20,
        "setting": setting(),
    }


PROGRAMS = "c_program"
"""The marker whose tests look at tests/c alone, which another toolchain may have built."""


def of_programs() -> dict[str, Any]:
    """Return the same of the C programs, as one of them says it."""
    from support import libraries

    command = [libraries.build() / "report"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return of_report(done.stdout)


def of_report(text: str) -> dict[str, Any]:
    """Return what tests/c/report.c has printed as a part of a row."""
    said = dict(line.split("=", 1) for line in text.splitlines())
    static = "static" if said["static"] == "1" else ""
    return {
        "kernel": said["kernel"],
        "libc": said["libc"] + (musl_version() if said["libc"] == "musl" else ""),
        "architecture": said["architecture"],
        "interpreter": "",
        "compiler": said["compiler"],
        "page": int(said["page"]),
        "memory": said["memory"],
        "entropy": said["kernel_entropy"],
        "watch": said["watch"],
        "clones": said["clones"],
        "chacha20": said["chacha20"],
        "setting": ", ".join(filter(None, [static, setting()])),
    }


def runs_on_musl() -> bool:
    """Whether this interpreter's C library is musl, which platform.libc_ver() does not know."""
    return "musl" in str(sysconfig.get_config_var("SOABI"))


def musl_version() -> str:
    """Return the version, which programs cannot ask for but musl's dynamic linker says."""
    for linker in Path("/lib").glob("ld-musl-*.so.1"):
        usage = subprocess.run([linker], capture_output=True, text=True, check=False, timeout=60)
        if found := re.search(r"Version (\S+)", usage.stderr):
            return f" {found[1]}"
    return ""


def setting() -> str:
    """Say what is unusual about this process: whose it is, its limits, what was taken away."""
    parts = [] if os.geteuid() == 0 else ["not as root"]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        parts.append(f"addresses limited to {limit / 2**30:.3g} GiB")
    # Others of this prefix are the tests' own, and may be paths.
    for name in ("CHACHA20", "MEMORY", "WATCH", "VDSO"):
        value = os.environ.get(f"VGETRANDOM_{name}", "")
        if value:
            parts.append(f"VGETRANDOM_{name}={value}")
    return ", ".join(parts)


def in_tree(argument: str, directory: Path) -> str:
    """Return an argument without what belongs to this machine.

    Args:
        argument: An option, a path with or without a test's name, or anything.
        directory: Where it was given.
    """
    option, equals, value = argument.partition("=") if argument[:1] == "-" else ("", "", argument)
    path, colons, name = value.partition("::")
    if not path or ("/" not in path and not (directory / path).exists()):
        return argument
    inside = os.path.relpath(directory / path, ROOT)
    if inside.split("/")[0] == "..":
        inside = "PATH"
    return f"{option}{equals}{inside}{colons}{name}"


def part(config: pytest.Config, deselected: int) -> str:
    """Say which part of the suite is run."""

    def inside(arguments: list[str]) -> str:
        places = {in_tree(each, config.invocation_params.dir) for each in arguments}
        return " ".join(sorted(places))

    option = config.option
    if option.markexpr == PROGRAMS:
        return "C programs of the suite" + (", quick" if option.quick else "")
    places = inside(config.args)
    chosen = ["whole suite" if places == "tests" else places]
    chosen += ["quick"] if option.quick else []
    chosen += [f"-k {inside([option.keyword])!r}"] if option.keyword else []
    chosen += [f"-m {inside([option.markexpr])!r}"] if option.markexpr else []
    left_out = [*(option.ignore or ()), *(option.ignore_glob or ()), *(option.deselect or ())]
    if left_out:
        chosen.append(f"without {inside(left_out)}")
    elif deselected and not (option.keyword or option.markexpr):
        chosen.append("a selection")
    return ", ".join(chosen)


def command(config: pytest.Config) -> str:
    """Return the command that this run was started by, without what belongs to this machine."""
    if config.option.markexpr == PROGRAMS:
        return "make test-musl" + (" ARGS=--quick" if config.option.quick else "")
    arguments = list(config.invocation_params.args)
    words = ["pytest"]
    while arguments:
        argument = str(arguments.pop(0))
        if argument == "--record":
            arguments.pop(0)
        elif not argument.startswith("--record="):
            words.append(in_tree(argument, config.invocation_params.dir))
    return shlex.join(words)


class Recorder:
    """Counts a session's results and writes them down with what they are of."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        """Record the session of this configuration in a file.

        Raises:
            pytest.UsageError: It cannot be written there.
        """
        if not os.access(path.parent, os.W_OK):
            raise pytest.UsageError(f"--record: cannot write in {path.parent}")
        self._config, self._path = config, path
        self._counts: Counter[str] = Counter()
        self._deselected = 0

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Count what was not chosen."""
        self._deselected += len(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count files that skip as a whole."""
        self._counts["skipped"] += report.skipped

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test's result, or nothing for a phase of it that has none."""
        status = self._config.hook.pytest_report_teststatus(report=report, config=self._config)
        if status[0] in COUNTED:
            self._counts[COUNTED[status[0]]] += 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the record, unless the session ended early or ran nothing."""
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not ended or session.shouldstop or session.shouldfail or not self._counts["passed"]:
            return
        where = of_programs() if self._config.option.markexpr == PROGRAMS else here()
        counts = {name: self._counts[name] for name in COUNTED.values()}
        write(
            self._path,
            command=command(self._config),
            how=part(self._config, self._deselected),
            rows=[where | counts | {"result": ""}],
        )
