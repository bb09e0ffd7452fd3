"""The C library through cffi: everything that is not hot, and all of it where there is no CPython.

The declarations repeat ``vgetrandom.h``; tests/python/test_core.py holds the two against
each other.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, SupportsIndex

from cffi import FFI

from vgetrandom import _paths

if TYPE_CHECKING:
    from typing_extensions import Buffer

CDEF = """
ssize_t vgetrandom(void *buf, size_t len, unsigned int flags);
void vgetrandom_reseed(void);
uint64_t vgetrandom_process(void);

struct vgetrandom_info {
    const char *chacha20;
    const char *memory;
    const char *kernel_entropy;
    const char *watch;
    const char *reserved_names[12];
    size_t state_bytes;
    size_t batch_bytes;
    size_t reserved_numbers[14];
    const char *notes[32];
};
void vgetrandom_get_info(struct vgetrandom_info *info);

struct vgetrandom_stats {
    uint64_t refills;
    uint64_t reseeds_first;
    uint64_t reseeds_wiped;
    uint64_t reseeds_generation;
    uint64_t reseeds_requested;
    uint64_t syscalls;
    uint64_t fallbacks;
    uint64_t reserved[25];
};
void vgetrandom_get_stats(struct vgetrandom_stats *stats);
"""

# Between two of these Ctrl-C is answered.
_CHUNK_BYTES = 16 << 20

_ffi = FFI()
_ffi.cdef(CDEF)


def _functions(addresses: dict[str, int]) -> SimpleNamespace:
    """Return the functions that CDEF declares, each from its address."""
    functions = SimpleNamespace()
    for result, name, arguments in re.findall(r"^(\w.*?)(\w+)\(([^)]*)\);", CDEF, re.MULTILINE):
        setattr(functions, name, _ffi.cast(f"{result}(*)({arguments})", addresses[name]))
    return functions


_lib: Any
if sys.implementation.name == "cpython":
    from vgetrandom import _native

    __version__ = _native.__version__
    # Not dlopen(): where a process has two copies, it could find the one that the extension does
    # not draw from.
    _lib = _functions(_native.linked()[1])
else:
    __version__ = _paths.version()
    _lib = _ffi.dlopen(_paths.library())


@dataclass(frozen=True, slots=True)
class Info:
    """What is in use on this machine.

    Attributes:
        chacha20 (str): The instruction set: "avx512", "avx2", "sse2", "neon" or "portable".
        memory (str): Where states live: "droppable" (MAP_DROPPABLE: all guarantees hold),
            "wipe-on-fork" (MADV_WIPEONFORK: notes say whether it can be swapped), or "none"
            (nothing is kept, every request is a system call).
        kernel_entropy (str): What every refill mixes in: "vdso" or "syscall".
        watch (str): What tells that the kernel reseeded or the virtual machine was cloned:
            "vdso-generation", "vmclock" or "none".
        state_bytes (int): The size of a thread's state, in bytes.
        batch_bytes (int): How many bytes at most exist per thread before they are served.
        notes (tuple[str, ...]): Each guarantee that does not hold here, and why.
    """

    chacha20: str
    memory: str
    kernel_entropy: str
    watch: str
    state_bytes: int
    batch_bytes: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """What this process has done.

    Attributes:
        refills (int): Batches and bulk chunks computed, each under a key of its own.
        reseeds (Mapping[str, int]): Keys fetched from the kernel, by reason: "first" (a thread's
            first), "wiped" (the page was zero: dropped, or this is a forked child), "generation"
            (the kernel reseeded or the machine was cloned), "requested" (by reseed()).
        syscalls (int): Calls of getrandom(2).
        fallbacks (int): Requests that the kernel served whole, no state being usable.
    """

    refills: int
    reseeds: Mapping[str, int]
    syscalls: int
    fallbacks: int


def _text(string: Any) -> str:
    raw = _ffi.string(string)
    assert isinstance(raw, bytes)
    return raw.decode("ascii")


def info() -> Info:
    """See vgetrandom.info()."""
    c: Any = _ffi.new("struct vgetrandom_info *")
    _lib.vgetrandom_get_info(c)
    notes = []
    for note in c.notes:
        if note == _ffi.NULL:
            break
        notes.append(_text(note))
    return Info(
        chacha20=_text(c.chacha20),
        memory=_text(c.memory),
        kernel_entropy=_text(c.kernel_entropy),
        watch=_text(c.watch),
        state_bytes=c.state_bytes,
        batch_bytes=c.batch_bytes,
        notes=tuple(notes),
    )


def stats() -> Stats:
    """See vgetrandom.stats()."""
    c: Any = _ffi.new("struct vgetrandom_stats *")
    _lib.vgetrandom_get_stats(c)
    reasons = ("first", "wiped", "generation", "requested")
    return Stats(
        refills=c.refills,
        reseeds=MappingProxyType({reason: getattr(c, f"reseeds_{reason}") for reason in reasons}),
        syscalls=c.syscalls,
        fallbacks=c.fallbacks,
    )


def reseed() -> None:
    """See vgetrandom.reseed()."""
    _lib.vgetrandom_reseed()


def _fill_chunks(memory: Any, size: int) -> None:
    process = _lib.vgetrandom_process()
    done = 0
    while done < size:
        chunk = min(size - done, _CHUNK_BYTES)
        if _lib.vgetrandom(memory + done, chunk, 0) == chunk:
            done += chunk
        elif _ffi.errno != errno.EINTR:
            raise OSError(_ffi.errno, os.strerror(_ffi.errno))
        # A signal handler forked and this is the child: the parent has the chunks too.
        if process != _lib.vgetrandom_process():
            process = _lib.vgetrandom_process()
            done = 0


def _fill(memory: Any, size: int) -> None:
    try:
        _fill_chunks(memory, size)
    except BaseException:  # Ctrl-C too: no part of a result is left
        for start in range(0, size, _CHUNK_BYTES):
            chunk = min(size - start, _CHUNK_BYTES)
            _ffi.memmove(memory + start, bytes(chunk), chunk)
        raise


def random_bytes(size: SupportsIndex, /) -> bytes:
    """See vgetrandom._native.random_bytes()."""
    size = index(size)
    if not -sys.maxsize - 1 <= size <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    if size < 0:
        raise ValueError("negative argument not allowed")
    process = None
    # Again, if a signal handler forked while the result was copied and this is the child.
    while process != _lib.vgetrandom_process():
        process = _lib.vgetrandom_process()
        data = bytearray(size)
        with _ffi.from_buffer("unsigned char[]", data) as memory:
            _fill(memory, size)
        result = bytes(data)
        data[:] = bytes(size)
    return result


def random_bytes_into(buffer: Buffer, /) -> None:
    """See vgetrandom._native.random_bytes_into()."""
    try:
        memory = _ffi.from_buffer("unsigned char[]", buffer, require_writable=True)
    except (TypeError, BufferError, ValueError) as error:
        if isinstance(error, ValueError) and memoryview(buffer).c_contiguous:
            raise
        message = (
            "random_bytes_into() argument must be a contiguous read-write bytes-like object, "
            f"not {type(buffer).__name__}"
        )
        raise TypeError(message) from error
    with memory:
        _fill(memory, len(memory))
