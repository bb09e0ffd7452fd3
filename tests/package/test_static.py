# SPDX-License-Identifier: MIT
"""The static library, for programs that are static: installed by CMake, found by pkg-config."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import vgetrandom
from support import tools

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
#include <stdio.h>
#include <vgetrandom.h>

int main(void)
{
    struct vgetrandom_info info;
    unsigned char token[16];

    if (vgetrandom(token, sizeof(token), 0) != sizeof(token))
        return 1;
    vgetrandom_get_info(&info);
    return printf("%s %s", info.memory, info.kernel_entropy) < 0;
}
"""


def commands() -> str:
    """The lines of the README, from the build to the program."""
    found = re.search(
        r"^```sh\n(cmake .*?)```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[1]


@pytest.mark.parametrize("compiler", ["cc", "musl-gcc"])
def test_the_readme_s_lines_give_a_static_program(compiler: str, tmp_path: Path) -> None:
    tools.skip_without("cmake", compiler, "pkg-config")
    (tmp_path / "program.c").write_text(PROGRAM)
    # Into a directory of this test.
    lines = commands().replace("cmake -B", f"cmake -S {ROOT} -B").replace("cc ", f"{compiler} ")
    environment = os.environ | {
        "PATH": tools.path(),
        "CC": compiler,
        "CMAKE_INSTALL_PREFIX": str(tmp_path / "prefix"),
        "PKG_CONFIG_PATH": str(tmp_path / "prefix" / "lib" / "pkgconfig"),
    }
    prefix = f"-DCMAKE_INSTALL_PREFIX={tmp_path}/prefix -DCMAKE_INSTALL_LIBDIR=lib"
    lines = lines.replace("-DBUILD_SHARED_LIBS=OFF", f"-DBUILD_SHARED_LIBS=OFF {prefix}")
    subprocess.run(["sh", "-ec", lines], cwd=tmp_path, env=environment, check=True, timeout=300)
    assert not list(tmp_path.rglob("*.so*"))
    program = tmp_path / "program"
    # Without a dynamic linker.
    readelf = shutil.which("readelf")
    if readelf:
        headers = subprocess.run(
            [readelf, "--program-headers", program], capture_output=True, text=True, check=True
        )
        assert "INTERP" not in headers.stdout
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    info = vgetrandom.info()
    assert done.stdout == f"{info.memory} {info.kernel_entropy}"
