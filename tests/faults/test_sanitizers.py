# SPDX-License-Identifier: MIT
"""The core under ASan, UBSan and TSan, and random sequences of events against a model."""

from __future__ import annotations

import platform
import random
import resource
import subprocess
from pathlib import Path

import pytest

from faults import cores, defects, fuzzing
from faults.cores import Build, Defect, Replacement
from support import tools
from support.ahead import ahead

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="built with the x86-64 library's compile commands"
)

ADDRESS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREAD = ("-g", "-fsanitize=thread")
FUZZER = fuzzing.FUZZER
SECONDS = "2"
THREADS = ("faults/threads.c",)
PROGRAMS = (
    ("drop_draws", "200", "pageout"),
    ("drop_draws", "1000", "dontneed"),
    ("fork_threads", "2", "2", "fork", "main", "first"),
    ("fork_threads", "2", "2", "clone", "thread", "last"),
    ("signal_draws", "20000"),
    ("stepping", "hot", "drop", "5"),
    ("stepping", "first", "draw-once", "5"),
    ("thread_exit", "20"),
    ("thread_start", "5"),
)
NOT_FOR_THREAD = {
    "fork_threads": "it lets no child of several threads begin threads",
    "stepping": "it puts signals off",
}
FUZZING_SECONDS = 6
FINDING_SECONDS = 60

TWO_THREADS_CLAIM_ONE_STATE = Defect(
    "slot claimed without compare-and-swap",
    (
        Replacement(
            "csrc/slots.c",
            "atomic_compare_exchange_strong(&slot->owner, &owner, claimant))\n\t\t\treturn slot;",
            "(slot->owner = claimant))\n\t\t\treturn slot;",
        ),
    ),
)


def built(sources: tuple[str, ...], how: Build, defect: Defect | None = None) -> Path:
    compiler = how.compiler or "cc"
    tools.skip_without(compiler, "cmake")
    if how.options and resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        pytest.skip("addresses are limited (ulimit -v); a sanitizer reserves terabytes of them")
    # Compilers come without the sanitizers' run-time libraries.
    probe = [compiler, *how.options, "-x", "c", "-", "-o", "/dev/null"]
    entry = "LLVMFuzzerTestOneInput(const void *p, long n) { return !p || !n; }"
    source = f"int {entry}" if sources == fuzzing.SOURCES else "int main(void) { return 0; }"
    done = subprocess.run(probe, input=source, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{compiler} cannot build with {how.options}")
    return cores.linked_program(sources, how, defect)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


Done = subprocess.CompletedProcess[str]


def c_program(options: tuple[str, ...], arguments: tuple[str, ...]) -> Done:
    name, *rest = arguments
    if options == THREAD and name in NOT_FOR_THREAD:
        pytest.skip(f"not for ThreadSanitizer: {NOT_FOR_THREAD[name]}")
    how = Build(scripted=False, options=options)
    return run(built((f"c/{name}.c", "c/hooks.c"), how), *rest)


@ahead(c_program)
@pytest.mark.parametrize("arguments", PROGRAMS, ids=" ".join)
@pytest.mark.parametrize("options", [ADDRESS, THREAD], ids=["address,undefined", "thread"])
def test_c_programs(options: tuple[str, ...], arguments: tuple[str, ...], done: Done) -> None:
    assert done.returncode == 0, (options, arguments, done.stdout + done.stderr)


def test_such_a_library_says_what_it_keeps() -> None:
    done = run(built(("c/report.c",), Build(scripted=False, options=ADDRESS)))
    assert "VGETRANDOM_KEEPS_SECRETS_ON_STACK" in done.stdout
    done = run(built(("c/report.c",), Build(scripted=False)))
    assert "VGETRANDOM_KEEPS_SECRETS_ON_STACK" not in done.stdout


def threads(options: tuple[str, ...]) -> Done:
    return run(built(THREADS, Build(scripted=False, options=options)), SECONDS)


@ahead(threads)
@pytest.mark.parametrize("options", [ADDRESS, THREAD], ids=["address,undefined", "thread"])
def test_threads_that_come_and_go(options: tuple[str, ...], done: Done) -> None:
    assert done.returncode == 0, (options, done.stderr)


def threads_with_a_race() -> Done:
    how = Build(scripted=False, options=THREAD)
    return run(built(THREADS, how, TWO_THREADS_CLAIM_ONE_STATE), SECONDS)


@ahead(threads_with_a_race)
def test_the_thread_sanitizer_would_tell(done: Done) -> None:
    assert done.returncode != 0


def fuzz(defect: Defect | None, directory: Path, seconds: int = FUZZING_SECONDS) -> Done:
    return run(
        built(fuzzing.SOURCES, Build(options=FUZZER, compiler="clang"), defect),
        f"-max_total_time={seconds}",
        f"-seed={random.randrange(1, 1 << 30)}",
        "-max_len=256",
        "-len_control=0",
        f"-artifact_prefix={directory}/",
    )


def fuzz_as_shipped(tmp_path_factory: pytest.TempPathFactory) -> Done:
    return fuzz(None, tmp_path_factory.mktemp("fuzzing"))


@ahead(fuzz_as_shipped)
def test_random_sequences_of_events(done: Done) -> None:
    assert done.returncode == 0, done.stderr[-4000:]


SEEDED = {seeded.defect.name: seeded.defect for seeded in defects.SEEDED}


def fuzz_with_a_defect(name: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    # It ends when it has found it, which on a busy machine takes a while.
    return fuzz(SEEDED[name], tmp_path_factory.mktemp("fuzzing"), FINDING_SECONDS)


@ahead(fuzz_with_a_defect)
@pytest.mark.parametrize(
    "name", ["batch kept over a reseed", "state inherited by children", "only the tail redone"]
)
def test_the_model_would_tell(name: str, done: Done) -> None:
    assert done.returncode != 0, name
    assert "not so" in done.stderr
