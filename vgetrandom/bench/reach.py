# SPDX-License-Identifier: MIT
"""How this interpreter reaches the kernel's getrandom: through the vDSO or by a system call.

Versions do not answer that, because libc, interpreter, kernel and sandbox all matter. So a forked
child forbids itself the system call and checks whether the function still works.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from errno import EIO

from vgetrandom import _fork

# getrandom, and read in case the interpreter falls back to /dev/urandom.
_SYSCALLS = {
    "x86_64": (318, 0),
    "aarch64": (278, 63),
    "riscv64": (278, 63),
    "loongarch64": (278, 63),
    "ppc64le": (359, 3),
    "s390x": (349, 3),
}

# Exit statuses of the child; 1 is a failure's.
_VDSO, _SYSCALL, _UNKNOWN = range(10, 13)
_WORDS = {_VDSO: "vDSO", _SYSCALL: "system call", _UNKNOWN: "unknown (no seccomp filter)"}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("operand", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def _forbid(numbers: tuple[int, ...]) -> bool:
    """Make these system calls fail with EIO in this process from now on."""
    load, jump_if_equal, give = 0x20, 0x15, 0x06
    allow, fail = 0x7FFF0000, 0x00050000 | EIO
    checks = [(jump_if_equal, len(numbers) - i, 0, nr) for i, nr in enumerate(numbers)]
    code = [(load, 0, 0, 0), *checks, (give, 0, 0, allow), (give, 0, 0, fail)]
    instructions = (_Instruction * len(code))(*(_Instruction(*line) for line in code))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_void_p] * 4)
    set_no_new_privs, set_seccomp, mode_filter = 38, 22, 2
    program = ctypes.pointer(_Program(len(code), instructions))
    return not (
        prctl(set_no_new_privs, 1, None, None, None)
        or prctl(set_seccomp, mode_filter, program, None, None)
    )


def _try_in_child(function: Callable[[int], bytes], numbers: tuple[int, ...]) -> int:
    # The first draw sets up the vDSO's state and its key, which takes system calls.
    function(16)
    if not _forbid(numbers):
        return _UNKNOWN
    try:
        function(16)
    except OSError:
        return _SYSCALL
    return _VDSO


def how(function: Callable[[int], bytes]) -> str:
    """Find out how a function gets its bytes.

    Args:
        function: os.urandom or another that takes a number of bytes.

    Returns:
        "vDSO", "system call", or "unknown" and why.
    """
    numbers = _SYSCALLS.get(platform.machine())
    if not numbers:
        return f"unknown (not tried on {platform.machine()})"
    try:
        pid = _fork.fork(lambda: os._exit(_try_in_child(function, numbers)))
        status = os.waitpid(pid, 0)[1]
    except OSError as error:
        return f"unknown ({error.strerror})"
    return _WORDS.get(os.waitstatus_to_exitcode(status), "unknown (child died)")
