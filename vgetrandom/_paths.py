"""Where the C parts of the package are."""

from __future__ import annotations

from pathlib import Path

# An editable install keeps the modules and the built files in different directories, both of
# which the package's path knows.
import vgetrandom


def _find(name: str) -> str:
    for directory in vgetrandom.__path__:
        path = Path(directory, name)
        if path.exists():
            return str(path)
    message = f"{name} was not installed with the vgetrandom package"
    raise FileNotFoundError(message)


def include() -> str:
    """Return the directory of vgetrandom.h."""
    return _find("include")


def library() -> str:
    """Return the path of libvgetrandom.so."""
    return _find("lib/libvgetrandom.so")
