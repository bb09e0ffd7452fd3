# SPDX-License-Identifier: MIT
"""A test build of the C core from Python: its draws, the calling thread's state, what it tells."""

from __future__ import annotations

import errno
from typing import Any

from support import libraries


class Core:
    """One instance of one of the test libraries."""

    def __init__(self, library: libraries.Library) -> None:
        self.ffi, self.lib = library
        self.layout = libraries.layout_of(library)

    def draw(self, size: int, flags: int = 0) -> bytes:
        """Draw, and expect to succeed."""
        buffer = self.ffi.new("uint8_t[]", size)
        got = self.lib.vgetrandom(buffer, size, flags)
        assert got == size, errno.errorcode[self.ffi.errno]
        return bytes(self.ffi.buffer(buffer))

    def fail(self, size: int, flags: int = 0) -> int:
        """Draw, and expect to fail without a trace; return errno."""
        data = bytearray(b"\xa5" * size)
        self.ffi.errno = 0
        got = self.lib.vgetrandom(self.ffi.from_buffer(data), size, flags)
        error = self.ffi.errno
        assert got == -1
        assert data == bytes(size)
        return int(error)

    def page(self) -> bytearray:
        """Return a copy of the calling thread's state."""
        return bytearray(self.ffi.buffer(self.lib.hook_state(), self.layout.state_bytes))

    def field(self, name: str, size: int) -> bytes:
        """Return one field of the calling thread's state."""
        at = getattr(self.layout, name)
        return bytes(self.page()[at : at + size])

    def drop(self) -> None:
        """Zero the calling thread's page, as the kernel may at any time."""
        self.ffi.memmove(self.lib.hook_state(), bytes(4096), 4096)

    def stats(self) -> Any:
        """Return the library's counters."""
        stats = self.ffi.new("struct vgetrandom_stats *")
        self.lib.vgetrandom_get_stats(stats)
        return stats

    def info(self) -> Any:
        """Return what the library says about itself."""
        info = self.ffi.new("struct vgetrandom_info *")
        self.lib.vgetrandom_get_info(info)
        return info

    def notes(self) -> list[str]:
        """Return the notes of info."""
        notes = []
        for note in self.info().notes:
            if note == self.ffi.NULL:
                break
            notes.append(self.text(note))
        return notes

    def text(self, string: Any) -> str:
        """Return a string of the library."""
        raw = self.ffi.string(string)
        assert isinstance(raw, bytes)
        return raw.decode()

    def told(self, name: str) -> str:
        """Return one of the texts of info."""
        return self.text(getattr(self.info(), name))

    @property
    def watch(self) -> str:
        """What is watched, in info()'s words."""
        return self.told("watch")


def new_core() -> Core:
    """Return a core over the real kernel that has not drawn yet."""
    return Core(libraries.fresh("hooked"))
