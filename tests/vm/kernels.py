# SPDX-License-Identifier: MIT
"""Kernels of Debian's, fetched by an apt that keeps everything to itself under build/vm.

The machine's own apt is not touched, but its configuration is read: proxies and keys are its.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from support.places import ROOT

HOME = ROOT / "build" / "vm"
MIRROR = "http://deb.debian.org/debian"
RETRIES = 2  # of apt, which waits a second and more before each
SUITES = (
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "testing",
    "sid",
    "experimental",
)
NEWEST = "newest"
TRIES = 3  # packages, where one is in the lists and not on the mirror any more
DAY = 24 * 60 * 60


class NotThereError(Exception):
    """A kernel that cannot be had, and why."""


@dataclass(frozen=True)
class Kernel:
    """Which kernel is wanted: a version's beginning (6.12), or the newest there is."""

    version: str
    architecture: str = "amd64"
    flavour: str = ""  # "-16k"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What its packages are called: before 6.19 linux-image, since then linux-binary."""
        version = r"\d+\.\d+" if self.version == NEWEST else re.escape(self.version)
        # Names without a third number are of packages that only depend on others.
        rest = "" if self.version.count(".") > 1 else r"\.\d+"
        revision = r"(?:-\d+|\+deb\d+(?:\.\d+)?)?"
        suffix = re.escape(f"-{self.architecture}{self.flavour}")
        return re.compile(rf"linux-(?P<kind>image|binary)-({version}{rest}){revision}{suffix}")

    def __str__(self) -> str:
        """Return what people call it."""
        return f"{self.version} {self.architecture}{self.flavour}"


def _numbers(package: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", package))


def candidates(kernel: Kernel, names: list[str]) -> list[str]:
    """Return those of the packages that have this kernel's image, the newest first."""
    found = [match for name in names if (match := kernel.pattern.fullmatch(name))]
    split = {match.string[len("linux-binary-") :] for match in found if match["kind"] == "binary"}
    images = [
        match.string
        for match in found
        # From 6.19 on an image's package is empty but for the one that it depends on.
        if match["kind"] == "binary" or match.string[len("linux-image-") :] not in split
    ]
    return sorted(images, key=_numbers, reverse=True)


def _options() -> list[str]:
    home = HOME / "apt"
    values = {
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": home / "state",
        "Dir::State::lists": home / "lists",
        "Dir::State::status": home / "state" / "status",
        "Dir::Cache": home / "cache",
        # Debian's containers turn these off; without them all lists are read for each question.
        "Dir::Cache::pkgcache": "pkgcache.bin",
        "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
        "APT::Architecture": "amd64",
        "APT::Architectures::": "arm64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": RETRIES,
        "Acquire::http::Timeout": 20,
        # Those of testing and sid are seldom fetched by anybody who waits a week for it.
        "Acquire::Check-Valid-Until": "false",
    }
    return list(
        itertools.chain.from_iterable(("-o", f"{key}={value}") for key, value in values.items())
    )


def _apt(*command: str, seconds: float, cwd: Path | None = None) -> str:
    if not shutil.which(command[0]):
        message = f"{command[0]} is not installed"
        raise NotThereError(message)
    try:
        done = subprocess.run(
            [command[0], *_options(), *command[1:]],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=cwd,
        )
    except subprocess.TimeoutExpired:
        message = f"{' '.join(command)}: not done in {seconds:.0f} s"
        raise NotThereError(message) from None
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}"
        raise NotThereError(message)
    return done.stdout


def _without_lists() -> list[str]:
    """Return the suites whose lists are not there: apt only warns of a mirror that is away."""
    names = [path.name for path in (HOME / "apt" / "lists").glob("*_Packages*")]
    return [suite for suite in SUITES if not any(f"_dists_{suite}_" in name for name in names)]


def update(seconds: float = 300) -> None:
    """Fetch the lists of packages, once a day. What cannot be fetched is simply not in them."""
    home = HOME / "apt"
    stamp = home / "updated"
    if stamp.exists() and time.time() - stamp.stat().st_mtime < DAY:
        return
    for name in ("lists/partial", "cache/archives/partial", "state"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "state" / "status").touch()
    lines = [f"deb {MIRROR} {suite} main\n" for suite in SUITES]
    lines.append(f"deb {MIRROR}-security bookworm-security main\n")
    (home / "sources.list").write_text("".join(lines))
    _apt("apt-get", "-q", "update", seconds=seconds)
    if len(_without_lists()) == len(SUITES):
        message = f"no list of packages could be fetched from {MIRROR}"
        raise NotThereError(message)
    stamp.touch()


@functools.cache
def _names() -> list[str]:
    update()
    return _apt("apt-cache", "pkgnames", "linux-", seconds=120).splitlines()


def _image(package: Path) -> bytes | None:
    """Return the kernel inside a package: under boot, or since 7.2 beside its modules."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as unpacking:
        assert unpacking.stdout is not None
        with tarfile.open(fileobj=unpacking.stdout, mode="r|") as files:
            for member in files:
                if Path(member.name).name.startswith("vmlinuz") and member.isfile():
                    file = files.extractfile(member)
                    image = file.read() if file else None
                    unpacking.kill()
                    return image
    return None


def _fetch(package: str, architecture: str, image: Path) -> None:
    download = HOME / "download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    _apt("apt-get", "-q", "download", f"{package}:{architecture}", seconds=300, cwd=download)
    found = next(download.glob("*.deb"), None)
    content = _image(found) if found else None
    shutil.rmtree(download)
    if not content:
        message = f"{package}: there is no vmlinuz in it"
        raise NotThereError(message)
    image.parent.mkdir(parents=True, exist_ok=True)
    partial = image.with_name(f"{image.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.rename(image)


def kept(kernel: Kernel) -> list[Path]:
    """Return the images of this kernel that were fetched before, the newest first."""
    names = [path.name for path in (HOME / "kernels").glob("linux-*") if "." in path.name]
    return [HOME / "kernels" / name for name in candidates(kernel, names)]


def get(kernel: Kernel) -> Path:
    """Return a kernel's image, fetched where it was not before; NotThereError says why not."""
    try:
        names = _names()
    except NotThereError:
        # Better one that was the newest lately than none.
        if known := kept(kernel):
            return known[0]
        raise
    packages = candidates(kernel, names)
    unknown = _without_lists()
    hint = f" (of {', '.join(unknown)} there are no lists)" if unknown else ""
    problem = NotThereError(f"no package of Debian's has Linux {kernel}{hint}")
    for package in packages[:TRIES]:
        image = HOME / "kernels" / package
        if image.exists():
            return image
        try:
            _fetch(package, kernel.architecture, image)
        except NotThereError as error:
            problem = error
        else:
            return image
    raise problem
