# SPDX-License-Identifier: MIT
"""pthread_cancel(3): no call of the library is a cancellation point."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess

import pytest

import vgetrandom
from support import programs

# What of libc the library may call: no cancellation points, and nothing that allocates.
HARMLESS = {
    "__assert_fail",
    "__cxa_finalize",
    "__environ",
    "__errno_location",
    "__gmon_start__",
    "__memcpy_chk",
    "__memset_chk",
    "__stack_chk_fail",
    "abort",
    "clock_gettime",
    "environ",
    "getauxval",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "pthread_atfork",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_setspecific",
    "__register_atfork",
    "secure_getenv",
    "strcmp",
    "strlen",
    "strncmp",
    "syscall",
    "sysconf",
}
# A thread's variables: musl has room for those of all threads from when a library is loaded; glibc
# would make it here, and its libraries do without (csrc/states.h).
HARMLESS_IN_MUSL = {"__tls_get_addr"}


@pytest.mark.c_program
@pytest.mark.parametrize("what", ["draw", "prepare", "info"])
def test_calls_return_in_threads_that_are_cancelled(what: str) -> None:
    assert programs.figures("cancelled", what)["records"] > 0


def test_only_harmless_functions_of_libc_are_called() -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm (of binutils) is not installed")
    listed = subprocess.run(
        [nm, "-D", "--undefined-only", vgetrandom.get_library()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    called = set(re.findall(r" [Uw] (\w+)", listed))
    assert "syscall" in called
    harmless = HARMLESS if platform.libc_ver()[0] == "glibc" else HARMLESS | HARMLESS_IN_MUSL
    assert {name for name in called if not name.startswith("_ITM_")} <= harmless
