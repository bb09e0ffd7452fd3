# SPDX-License-Identifier: MIT
"""The cffi binding repeats vgetrandom.h: word for word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import vgetrandom
from support.bindings import through_cffi

_core: Any = through_cffi()


def declarations(text: str) -> list[str]:
    """Every declaration, in one spelling: no comments, no preprocessor, single spaces."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"//.*", " ", text)
    text = re.sub(r"^#.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r'extern "C" \{|^\}$', " ", text, flags=re.MULTILINE)
    text = text.replace("VGETRANDOM_API", " ")
    # Structs stay whole.
    text = re.sub(r"\{[^}]*\}", lambda body: body.group().replace(";", ","), text)
    found = (" ".join(re.findall(r"\w+|[^\w\s]", part)) for part in text.split(";"))
    count = str(max_notes() + 1)
    return sorted(one.replace("VGETRANDOM_MAX_NOTES + 1", count) for one in found if one)


def header() -> str:
    return Path(vgetrandom.get_include(), "vgetrandom.h").read_text()


def max_notes() -> int:
    found = re.search(r"#define VGETRANDOM_MAX_NOTES (\d+)", header())
    assert found
    return int(found.group(1))


def test_declares_what_the_header_declares() -> None:
    assert declarations(_core.CDEF) == declarations(header())


def test_version_is_the_header_s() -> None:
    assert f'#define VGETRANDOM_VERSION "{vgetrandom.__version__}"' in header()


def test_all_notes_fit() -> None:
    info: Any = _core._ffi.new("struct vgetrandom_info *")
    _core._lib.vgetrandom_get_info(info)
    assert len(info.notes) == max_notes() + 1
    assert info.notes[max_notes()] == _core._ffi.NULL


# --- room to grow: callers that were compiled against an older header have no more ---


def reserved(structure: Any) -> list[Any]:
    """Every reserved member's items."""
    return [
        item
        for name in dir(structure)
        if name.startswith("reserved")
        for item in getattr(structure, name)
    ]


@pytest.mark.parametrize(("name", "words"), [("info", "void *[64]"), ("stats", "uint64_t[32]")])
def test_structs_never_grow_and_what_is_reserved_is_zero(name: str, words: str) -> None:
    ffi = _core._ffi
    size = ffi.sizeof(words)
    assert ffi.sizeof(f"struct vgetrandom_{name}") == size
    # A word behind the struct, and the struct itself, that a caller did not clear.
    memory: Any = ffi.new("unsigned char[]", b"\xff" * (size + 8))
    structure: Any = ffi.cast(f"struct vgetrandom_{name} *", memory)
    getattr(_core._lib, f"vgetrandom_get_{name}")(structure)
    assert bytes(memory)[size : size + 8] == b"\xff" * 8
    assert reserved(structure)
    assert all(item in (0, ffi.NULL) for item in reserved(structure))
    if name == "info":
        notes = list(structure.notes)
        assert all(note == ffi.NULL for note in notes[notes.index(ffi.NULL) :])
