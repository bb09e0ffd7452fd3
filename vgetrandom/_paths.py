# SPDX-License-Identifier: MIT
"""Where the C parts of the package are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

# An editable install keeps modules and built files in different directories; both are in the
# package's __path__.
import vgetrandom


def not_built() -> ImportError:
    """Return the error for a package without C parts, or with those of another Python."""
    here = Path(vgetrandom.__path__[0])
    if (here.parent / "pyproject.toml").exists():
        return ImportError(
            f"{here} is vgetrandom's source code, which cannot be imported before it is built. "
            "Install it (pip install .), then start Python in another directory, or with -P, "
            "which leaves this one out of sys.path."
        )
    return ImportError(
        f"{here} has no C parts that {sys.executable} can load: the package was installed for "
        "another Python. Install it again with this one (python -m pip install)."
    )


def _find(pattern: str) -> Path:
    for directory in vgetrandom.__path__:
        for path in Path(directory).glob(pattern):
            return path
    raise not_built()


def include() -> str:
    """Return the directory of vgetrandom.h."""
    return str(_find("include/vgetrandom.h").parent)


def version() -> str:
    """Return the version in the installed header."""
    header = _find("include/vgetrandom.h").read_text(encoding="ascii")
    found = re.search(r'^#define VGETRANDOM_VERSION "(.+)"$', header, re.MULTILINE)
    assert found
    return found[1]


def library() -> str:
    """Return the path of the libvgetrandom.so.MAJOR that is in use."""
    if sys.implementation.name == "cpython":
        from vgetrandom._native import linked

        return linked()[0]
    return str(_find("lib/libvgetrandom.so.*"))
