# SPDX-License-Identifier: MIT
"""Functions of the C library that Python has no name for, or none that tells why it failed.

Through ctypes, which comes with every Python: cffi would have to be installed, and a free-threaded
Python 3.13 takes its GIL back when it is imported.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p

libc = ctypes.CDLL(None, use_errno=True)

MAP_FAILED = c_void_p(-1).value


def _declare(name: str, result: type, *arguments: type) -> None:
    """Say what a function takes; where nothing is said, ctypes cuts addresses down to an int."""
    function = getattr(libc, name)
    function.restype = result
    function.argtypes = arguments


_declare("mmap", c_void_p, c_void_p, c_size_t, c_int, c_int, c_int, c_long)
_declare("mremap", c_void_p, c_void_p, c_size_t, c_size_t, c_int, c_void_p)
_declare("madvise", c_int, c_void_p, c_size_t, c_int)
_declare("mlock", c_int, c_void_p, c_size_t)
_declare("munlock", c_int, c_void_p, c_size_t)
_declare("mlockall", c_int, c_int)
_declare("swapon", c_int, c_char_p, c_int)
_declare("swapoff", c_int, c_char_p)
_declare("syscall", c_long, c_long, *[c_long] * 5)
_declare("getauxval", c_ulong, c_ulong)
