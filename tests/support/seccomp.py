# SPDX-License-Identifier: MIT
"""Sandboxes: seccomp(2) filters, which the calling process then has for good."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

import pytest

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF0000
ERRNO = 0x00050000

# struct seccomp_data: the number, the architecture, where from, six arguments of 64 bits.
NUMBER = 0
ARGUMENTS = 16

# BPF: load a word; jump if equal; and with; return.
LOAD, JUMP_EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06

NUMBERS = {
    "x86_64": {
        "mmap": 9,
        "rt_sigprocmask": 14,
        "mremap": 25,
        "madvise": 28,
        "mlock": 149,
        "mlockall": 151,
        "getrandom": 318,
        "pidfd_open": 434,
    },
    "aarch64": {
        "mmap": 222,
        "rt_sigprocmask": 135,
        "mremap": 216,
        "mlock": 228,
        "mlockall": 230,
        "madvise": 233,
        "getrandom": 278,
        "pidfd_open": 434,
    },
}

_LIBC = ctypes.CDLL(None, use_errno=True)


def numbers() -> dict[str, int]:
    """Return the numbers of system calls here; skip the test where they are not known."""
    known = NUMBERS.get(platform.machine())
    if known is None:
        pytest.skip(f"system call numbers of {platform.machine()} are not known here")
    return known


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def refuse(
    name: str, error: int, argument: int | None = None, mask: int = 0, value: int = 0
) -> None:
    """Make a system call fail from now on, if the argument has that value under the mask.

    With an error of 0 it does nothing and says that all is well.
    """
    number = numbers()[name]
    program = [_instruction(LOAD, NUMBER)]
    if argument is None:
        program += [_instruction(JUMP_EQUAL, number, 0, 1)]
    else:
        program += [
            _instruction(JUMP_EQUAL, number, 0, 4),
            _instruction(LOAD, ARGUMENTS + 8 * argument),
            _instruction(AND, mask),
            _instruction(JUMP_EQUAL, value, 0, 1),
        ]
    program += [_instruction(RETURN, ERRNO | error), _instruction(RETURN, ALLOW)]
    _install(b"".join(program))


def _install(program: bytes) -> None:
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog
    filters = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    if _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    if _LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0):
        code_name = errno.errorcode[ctypes.get_errno()]
        raise OSError(ctypes.get_errno(), f"seccomp filters are refused here ({code_name})")
