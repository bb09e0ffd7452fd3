# SPDX-License-Identifier: MIT
"""Installing from the source tree, in every way that once went wrong.

The build requirements are those of this environment (--no-build-isolation): nothing is downloaded.
The tree is a copy that nobody may write to, under a name with a space and a letter beyond ASCII.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from support import tools

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCES = (".*", "build", "dist", "__pycache__", "*.egg-info", "*.so")

# Set by people who build other packages too, each for a good reason of its own.
HOSTILE_OPTIONS = (
    "-DCMAKE_SKIP_INSTALL_RPATH=ON",
    "-DCMAKE_SKIP_RPATH=ON",
    "-DCMAKE_SKIP_INSTALL_RULES=ON",
    "-DCMAKE_UNITY_BUILD=ON",
    "-DCMAKE_RELEASE_POSTFIX=-r",
    "-DCMAKE_INSTALL_LIBDIR=elsewhere",
    "-DBUILD_SHARED_LIBS=OFF",
)

IMPORT = """
import os, sys, vgetrandom
assert len(vgetrandom.random_bytes(16)) == 16
assert vgetrandom.stats().syscalls
[name] = os.listdir(os.path.dirname(vgetrandom.get_library()))
assert name == os.path.basename(vgetrandom.get_library())
assert not os.path.islink(vgetrandom.get_library())
assert os.path.exists(os.path.join(vgetrandom.get_include(), "vgetrandom.h"))
print(vgetrandom.get_library())
"""


def contents(tree: Path) -> dict[str, tuple[int, int]]:
    """Every file and directory of a tree, with its size and when it was last changed."""
    paths = [tree, *tree.rglob("*")]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of the source tree that is read-only, and was so until the end."""
    if find_spec("scikit_build_core") is None or find_spec("pip") is None:
        pytest.skip("pip and scikit-build-core are not installed")
    tree = tmp_path_factory.mktemp("read only") / "Wür fel"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    shutil.copy(ROOT / ".gitignore", tree)
    paths = [tree, *tree.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    before = contents(tree)
    yield tree
    assert contents(tree) == before
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


def run(command: list[str], environment: dict[str, str]) -> str:
    """Run a command that must succeed, away from the source tree; return what it printed."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        env=os.environ | environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def without_override() -> list[str]:
    """Return what to put before a command that file permissions shall apply to, as root too."""
    override = "-dac_override,-fowner"
    command = ["setpriv", f"--bounding-set={override}", f"--inh-caps={override}"]
    if os.geteuid() or not shutil.which("setpriv"):
        return []
    return [] if subprocess.run([*command, "true"], check=False).returncode else command


def install(source: Path, target: Path, **environment: str) -> Path:
    """Install a tree into a directory, use what is there, and return the path of its library."""
    pip = [*without_override(), sys.executable, "-P", "-m", "pip", "--disable-pip-version-check"]
    pip += ["install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps"]
    building = {"PATH": tools.path(), "CMAKE_BUILD_PARALLEL_LEVEL": "2"}
    run([*pip, "--target", str(target), str(source)], building | environment)
    use = [sys.executable, "-P", "-c", IMPORT]
    library = Path(run(use, {"PYTHONPATH": str(target)}).strip())
    assert library.is_relative_to(target)
    return library


def test_two_at_once_one_of_them_with_flags(source: Path, tmp_path: Path) -> None:
    flags = "-Wl,-rpath,/marked"
    with ThreadPoolExecutor(2) as pool:
        plain = pool.submit(install, source, tmp_path / "plain")
        marked = pool.submit(install, source, tmp_path / "marked", CFLAGS=flags, LDFLAGS=flags)
        assert b"/marked" not in plain.result().read_bytes()
        assert b"/marked" in marked.result().read_bytes()


def test_options_and_variables_that_are_meant_for_other_packages(
    source: Path, tmp_path: Path
) -> None:
    library = install(
        source,
        tmp_path / "target",
        CMAKE_ARGS=" ".join(HOSTILE_OPTIONS),
        DESTDIR=str(tmp_path / "destdir"),
        CMAKE_INSTALL_MODE="ABS_SYMLINK",
    )
    # What the installation before this one was given is forgotten.
    assert b"/marked" not in library.read_bytes()
    assert not (tmp_path / "destdir").exists()


def test_from_a_source_distribution(source: Path, tmp_path: Path) -> None:
    build = f"import scikit_build_core.build as b; print(b.build_sdist({str(tmp_path)!r}))"
    build = f"import os; os.chdir({str(source)!r}); {build}"
    run([*without_override(), sys.executable, "-P", "-c", build], {})
    [archive] = tmp_path.glob("*.tar.gz")
    install(archive, tmp_path / "target")


def test_for_c_alone(source: Path, tmp_path: Path) -> None:
    """The usual files and links, by cmake, into a directory that DESTDIR says."""
    cmake = tools.find("cmake")
    if cmake is None:
        pytest.skip("cmake is not installed")
    build, root = tmp_path / "build", tmp_path / "root"
    configure = ["-S", str(source), "-B", str(build), "-DCMAKE_UNITY_BUILD=ON"]
    configure += ["-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_INSTALL_LIBDIR=lib"]
    for arguments in (
        configure,
        ["--build", str(build), "--parallel", "2"],
        ["--install", str(build)],
    ):
        run([cmake, *arguments], {"DESTDIR": str(root)})
    assert (root / "usr/include/vgetrandom.h").exists()
    links = root / "usr/lib/libvgetrandom.so", root / "usr/lib/libvgetrandom.so.0"
    assert links[0].readlink() == Path(links[1].name)
    assert links[1].readlink().name.startswith("libvgetrandom.so.0.")
    assert links[0].resolve().exists()
