# SPDX-License-Identifier: MIT
"""The C library through cffi: on PyPy everything, on CPython only a way for the tests.

The declarations repeat ``vgetrandom.h``; tests/python/test_core.py compares the two.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from operator import index
from types import SimpleNamespace
from typing import Any, SupportsIndex

from cffi import FFI

from vgetrandom import _paths
from vgetrandom._typing import Buffer

CDEF = """
ssize_t vgetrandom(void *buf, size_t len, unsigned int flags);
int vgetrandom_prepare(void);
void vgetrandom_reseed(const void *additional, size_t len);
uint64_t vgetrandom_process(void);

struct vgetrandom_generator;
struct vgetrandom_generator *vgetrandom_generator_new(void);
void vgetrandom_generator_free(struct vgetrandom_generator *generator);
uint64_t vgetrandom_generator_u64(struct vgetrandom_generator *generator);
uint32_t vgetrandom_generator_u32(struct vgetrandom_generator *generator);
double vgetrandom_generator_double(struct vgetrandom_generator *generator);

struct vgetrandom_info {
    const char *chacha20;
    const char *memory;
    const char *kernel_entropy;
    const char *watch;
    const char *clones;
    const char *reserved_names[11];
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

# Ctrl-C is handled between two chunks.
_CHUNK_BYTES = 16 << 20

# Characters are decoded in chunks of so many. The encoding has no mark of the byte order.
_CHUNK = 1 << 16
_UTF32 = f"utf-32-{sys.byteorder[0]}e"

# What os.urandom() of the interpreter at hand says.
_NEGATIVE = (
    "size cannot be negative" if sys.version_info >= (3, 15) else "negative argument not allowed"
)

# Bytes objects have a header, whose size PyPy adds without looking for an overflow.
_LARGEST_BYTES = sys.maxsize - 4096

_ffi = FFI()
_ffi.cdef(CDEF)
# Zeroing it would touch all of it.
_new_memory = _ffi.new_allocator(should_clear_after_alloc=False)


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
    # Not dlopen(): in a process with two copies it could find the one that the extension does
    # not draw from.
    _lib = _functions(_native.linked()[1])
else:
    __version__ = _paths.version()
    _lib = _ffi.dlopen(_paths.library())


def _text(string: Any) -> str:
    raw = _ffi.string(string)
    assert isinstance(raw, bytes)
    return raw.decode("ascii")


def info() -> tuple[str, str, str, str, str, int, int, tuple[str, ...]]:
    """Return what vgetrandom.info() makes an object of."""
    c: Any = _ffi.new("struct vgetrandom_info *")
    _lib.vgetrandom_get_info(c)
    notes = []
    for note in c.notes:
        if note == _ffi.NULL:
            break
        notes.append(_text(note))
    names = map(_text, (c.chacha20, c.memory, c.kernel_entropy, c.watch, c.clones))
    return (*names, c.state_bytes, c.batch_bytes, tuple(notes))


def stats() -> tuple[int, tuple[int, int, int, int], int, int]:
    """Return what vgetrandom.stats() makes an object of."""
    c: Any = _ffi.new("struct vgetrandom_stats *")
    _lib.vgetrandom_get_stats(c)
    reseeds = (c.reseeds_first, c.reseeds_wiped, c.reseeds_generation, c.reseeds_requested)
    return c.refills, reseeds, c.syscalls, c.fallbacks


def prepare() -> None:
    """See vgetrandom.prepare()."""
    if _lib.vgetrandom_prepare():
        raise OSError(_ffi.errno, os.strerror(_ffi.errno))


def reseed(additional: Buffer, /) -> None:
    """See vgetrandom.reseed()."""
    try:
        memory = _ffi.from_buffer("unsigned char[]", additional)  # type: ignore[arg-type]
    except (TypeError, BufferError, ValueError) as error:
        # The object's own error, such as a closed mmap's.
        if isinstance(error, ValueError) and memoryview(additional).c_contiguous:  # type: ignore[arg-type]
            raise
        message = (
            "reseed() argument must be a C-contiguous bytes-like object, "
            f"not {type(additional).__name__}"
        )
        raise TypeError(message) from error
    with memory:
        _lib.vgetrandom_reseed(memory, len(memory))


# How many times this process and its parents were forked by os.fork().
_forks = 0


def _forked() -> None:
    global _forks  # noqa: PLW0603
    _forks += 1


os.register_at_fork(after_in_child=_forked)


def _process() -> object:
    """A value that differs in a forked child; if the library has none, the best that Python has."""
    return _lib.vgetrandom_process() or (os.getpid(), _forks)


def _erase(memory: Any, size: int) -> None:
    for start in range(0, size, _CHUNK_BYTES):
        chunk = min(size - start, _CHUNK_BYTES)
        _ffi.memmove(memory + start, bytes(chunk), chunk)


def _copy_and_erase(memory: Any, size: int) -> bytes:
    copy = bytes(_ffi.buffer(memory, size))
    _erase(memory, size)
    return copy


def _draw(to: Any, size: int) -> int:
    """Draw that many bytes, or none where a signal came first; return how many."""
    if _lib.vgetrandom(to, size, 0) == size:
        return size
    if _ffi.errno != errno.EINTR:
        raise OSError(_ffi.errno, os.strerror(_ffi.errno))
    return 0


def _nothing(_memory: Any, _size: int) -> bytes:
    return b""


def _fill(memory: Any, size: int, finish: Callable[[Any, int], bytes] = _nothing) -> bytes:
    """Fill memory, and return what `finish` makes of it."""
    process = _process()
    done = touched = 0
    try:
        while done < size:
            chunk = min(size - done, _CHUNK_BYTES)
            touched = max(touched, done + chunk)
            done += _draw(memory + done, chunk)
            # A signal handler forked and this is the child: the parent has these chunks too.
            now = _process()
            if process != now:
                process = now
                done = 0
        return finish(memory, size)
    except BaseException:
        # Ctrl-C too: leave no part of a result. The rest may be gigabytes that have no memory yet.
        _erase(memory, touched)
        raise


def ssize(size: SupportsIndex) -> int:
    """Return an integer that C can take.

    Raises:
        OverflowError: It cannot.
    """
    size = index(size)
    if not -sys.maxsize - 1 <= size <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return size


def random_bytes(size: SupportsIndex, /) -> bytes:
    """See vgetrandom._native.random_bytes()."""
    size = ssize(size)
    if size < 0:
        raise ValueError(_NEGATIVE)
    if size > _LARGEST_BYTES:
        raise MemoryError
    process = None
    # Repeat if a signal handler forked while the result was copied, and this is the child.
    while process != (now := _process()):
        process = now
        # Not a bytearray: for one that does not fit into memory PyPy's compiled loops crash.
        with _new_memory("unsigned char[]", size) as memory:
            result = _fill(memory, size, _copy_and_erase)
    return result


def string(count: int, choose: Callable[[], int]) -> str:
    """Return a string of characters whose code points are chosen one by one.

    Args:
        count (int): How many.
        choose (Callable): Returns a code point; lone surrogates are allowed.

    Raises:
        MemoryError: There is no memory for them; nothing has been chosen.
    """
    if count > _LARGEST_BYTES // 4:
        raise MemoryError
    at = 0
    # Not a list of them, which would take many times as much and more and more of it.
    with _new_memory("uint32_t[]", count) as memory:
        try:
            for at in range(count):
                memory[at] = choose()
            return "".join(
                str(
                    _ffi.buffer(memory + start, 4 * min(count - start, _CHUNK)),
                    _UTF32,
                    "surrogatepass",
                )
                for start in range(0, count, _CHUNK)
            )
        finally:
            _erase(_ffi.cast("unsigned char *", memory), 4 * (at + 1))


def _refused(buffer: object) -> TypeError:
    return TypeError(
        "random_bytes_into() argument must be a contiguous read-write bytes-like object, "
        f"not {type(buffer).__name__}"
    )


def _holds_objects(buffer: Any) -> bool:
    """Whether it has pointers to Python objects, which random bytes must not replace."""
    try:
        with memoryview(buffer) as view:
            # The names of fields stand between colons.
            return "O" in re.sub(":[^:]*:", "", view.format)
    except ValueError:  # NumPy has no format for dates
        return bool(getattr(getattr(buffer, "dtype", None), "hasobject", False))


def _cannot_be_filled(buffer: Any) -> bool:
    """Whether the kind of buffer is wrong, and not its present condition (closed, say)."""
    try:
        with memoryview(buffer) as view:
            return view.readonly or not view.c_contiguous
    except ValueError:  # no format, no view
        strides: object = getattr(buffer, "strides", None)
        return strides is not None


def _raise_its_own_error(buffer: Any) -> None:
    """Raise the ValueError of a closed buffer, for which PyPy 7.3's cffi has a TypeError."""
    with suppress(TypeError, BufferError):
        memoryview(buffer).release()


def random_bytes_into(buffer: Buffer, /) -> None:
    """See vgetrandom._native.random_bytes_into()."""
    try:
        memory = _ffi.from_buffer("unsigned char[]", buffer, require_writable=True)  # type: ignore[call-overload]
    except (TypeError, BufferError, ValueError) as error:
        if isinstance(error, ValueError) and not _cannot_be_filled(buffer):
            raise
        if isinstance(error, TypeError):
            _raise_its_own_error(buffer)
        raise _refused(buffer) from error
    with memory:
        if _holds_objects(buffer):
            raise _refused(buffer)
        _fill(memory, len(memory))
