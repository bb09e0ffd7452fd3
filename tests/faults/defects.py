# SPDX-License-Identifier: MIT
"""Mistakes, each made in a copy of the core, that the oracle must notice.

Beside each, the draw and the faults that show it: a defect that no fault brings to light would say
nothing about the faults.
"""

from __future__ import annotations

from dataclasses import dataclass

from .cores import Defect, Replacement

DRAW, STATES = "csrc/draw.c", "csrc/states.h"
REFILL, RESEED = "csrc/refill.c", "csrc/reseed.c"


@dataclass(frozen=True)
class Seeded:
    """A defect, and how to bring it to light."""

    defect: Defect
    target: str
    faults: tuple[str, ...]


def _seeded(name: str, target: str, faults: str, *changes: tuple[str, str, str]) -> Seeded:
    replacements = tuple(Replacement(*change) for change in changes)
    return Seeded(Defect(name, replacements), target, tuple(faults.split()))


SEEDED = (
    _seeded(
        "busy flag never set",
        "small, from the batch",
        "S",
        (DRAW, "\tthis_thread.state = NULL;\n\tbarrier();", "\tbarrier();"),
    ),
    _seeded(
        "busy flag in the page",
        "small, from the batch",
        "B DS",
        (
            "csrc/state.h",
            "\tuint32_t available;",
            "\tuint32_t busy;\n\tuint32_t available;",
        ),
        (
            DRAW,
            "\tthis_thread.state = NULL;\n\tbarrier();",
            (
                "\tif (READ_ONCE(state->busy))\n\t\treturn draw_from_kernel(buf, len, flags);\n"
                "\tstate->busy = 1;\n\tbarrier();"
            ),
        ),
        (
            STATES,
            "\tthis_thread.state = NULL;\n\tbarrier();\n\treturn state;",
            (
                "\tif (READ_ONCE(state->busy))\n\t\treturn NULL;\n\tstate->busy = 1;\n"
                "\tbarrier();\n\treturn state;"
            ),
        ),
        (
            STATES,
            "\tthis_thread.state = state;",
            "\tthis_thread.state = state;\n\tstate->busy = 0;",
        ),
    ),
    _seeded(
        "generation written after the key",
        "first use",
        "D",
        # Both words: a drop in between is noticed by the other one, which is never zero.
        (
            RESEED,
            (
                "\tstate->vm_generation = vm_generation();\n"
                "\tatomic_store_explicit(&state->generation, kernel_generation(),"
                " memory_order_relaxed);\n"
            ),
            "",
        ),
        (
            RESEED,
            "\tslot->keyed = true;",
            (
                "\tstate->vm_generation = vm_generation();\n"
                "\tatomic_store_explicit(&state->generation, kernel_generation(),"
                " memory_order_relaxed);\n\tslot->keyed = true;"
            ),
        ),
    ),
    _seeded(
        "final check removed from the plain case",
        "small, from the batch",
        "D F",
        (DRAW, "drawn = is_current(state);", "drawn = true;"),
    ),
    _seeded(
        "final check removed from the other cases",
        "refilling",
        "D F",
        (DRAW, "if (filled && is_current(state))", "if (filled)"),
    ),
    _seeded(
        "only the tail redone",
        "small, from the batch",
        "F",
        (
            DRAW,
            "handle_request(buf, len, 0);\n}",
            "handle_request((uint8_t *)buf + len / 2, len - len / 2, 0) + (ssize_t)(len / 2);\n}",
        ),
    ),
    _seeded(
        "batch kept over a reseed",
        "small, from the batch",
        "G R",
        (RESEED, "\twipe(state->key, KEYSTREAM_BYTES);\n\tstate->available = 0;\n", ""),
    ),
    _seeded(
        "reseed not noticed",
        "small, from the batch",
        "G",
        ("csrc/watch.h", "return generation | VALID", "return VALID"),
    ),
    _seeded(
        "state inherited by children",
        "small, from the batch",
        "F",
        (
            "csrc/memory.c",
            "flags ? flags : MAP_DROPPABLE | MAP_ANONYMOUS",
            "MAP_PRIVATE | MAP_ANONYMOUS",
        ),
    ),
    _seeded(
        "batch not erased",
        "small, from the batch",
        "-",
        (
            DRAW,
            "\t\tcopy_and_erase(buf, state->batch + BATCH_BYTES - available, len);",
            "\t\tmemcpy(buf, state->batch + BATCH_BYTES - available, len);",
        ),
    ),
    _seeded(
        "key not erased",
        "bulk, one chunk",
        "-",
        (
            REFILL,
            "nonce);\n\twipe(state->working_key, sizeof(state->working_key));\n",
            "nonce);\n",
        ),
    ),
    _seeded(
        "middle of served bytes not erased",
        "middling, from the batch",
        "-",
        (
            DRAW,
            "\t\tchacha20_in_use()->copy_and_erase(buf, from, len);",
            (
                "\t{\n\t\tmemcpy(buf, from, len);\n\t\twipe(from, 64);\n"
                "\t\twipe(from + len - 64, 64);\n\t}"
            ),
        ),
    ),
    _seeded(
        "state not put back after a void draw",
        "small, from the batch",
        "D F G R",
        (
            DRAW,
            "\tstate_check_in(state);\n\treturn likely",
            "\tif (drawn)\n\t\tstate_check_in(state);\n\treturn likely",
        ),
    ),
    _seeded(
        "handler served from the interrupted draw's vDSO state",
        "small, from the batch",
        "S B",
        (DRAW, '#include "from_kernel.h"\n', '#include "from_kernel.h"\n#include "kernel.h"\n'),
        (
            DRAW,
            "\tif (state)\n\t\tstate_check_in(state);\n\treturn or_from_kernel",
            (
                "\tif (!state && this_thread.slot && len <= 64 &&\n"
                "\t    kernel_vdso_getrandom(buf, len, this_thread.slot->state->opaque) =="
                " (ssize_t)len)\n"
                "\t\treturn true;\n"
                "\tif (state)\n\t\tstate_check_in(state);\n\treturn or_from_kernel"
            ),
        ),
    ),
    _seeded(
        "first key from the vDSO",
        "first use",
        "-",
        (RESEED, '#include "from_kernel.h"\n', '#include "from_kernel.h"\n#include "kernel.h"\n'),
        (
            RESEED,
            "\tssize_t got = getrandom_counted(state->key, CHACHA20_KEY_BYTES, flags);",
            (
                "\t(void)flags;\n"
                "\tssize_t got =\n"
                "\t\tkernel_vdso_getrandom(state->key, CHACHA20_KEY_BYTES, state->opaque);"
            ),
        ),
    ),
    _seeded(
        "no look after a bulk key",
        "bulk, one chunk",
        "-",
        (DRAW, "if (filled && is_current(state))", "if (filled)"),
        (DRAW, " || !is_current(state))\n\t\t\treturn false;", ")\n\t\t\treturn false;"),
    ),
    _seeded(
        "children stop watching",
        "small, from the batch",
        "F B",
        (
            "csrc/watch.c",
            "void watch_probe_pages(uint64_t epoch)\n{\n",
            (
                "void watch_probe_pages(uint64_t epoch)\n{\n"
                "\tif (probed_in > BEFORE_EPOCHS && probed_in != epoch) {\n"
                "\t\tphase = OVER;\n\t\twatch.kernel = &unwatched;\n\t}\n"
            ),
        ),
    ),
    _seeded(
        "secret of a bulk key not erased",
        "bulk, one chunk",
        "-",
        (DRAW, "\twipe(secret, CHACHA20_KEY_BYTES);\n", ""),
    ),
)

# These show in the output without any fault, compared with the model (tests/support/model.py).
SHOWN_BY_OUTPUT = (
    _seeded(
        "additional bytes in place of the kernel's",
        "",
        "",
        (
            "csrc/additional.c",
            "((key_word *)key)[i] ^= atomic_load",
            "((key_word *)key)[i] = atomic_load",
        ),
    ),
    _seeded(
        "additional bytes in place of earlier ones",
        "",
        "",
        ("csrc/additional.c", "atomic_fetch_xor_explicit(", "atomic_store_explicit("),
    ),
    _seeded(
        "additional bytes forgotten by the next key",
        "",
        "",
        (
            "csrc/additional.c",
            "((key_word *)key)[i] ^= atomic_load_explicit(&words[i], memory_order_relaxed);",
            "((key_word *)key)[i] ^= atomic_exchange(&words[i], 0);",
        ),
    ),
    _seeded(
        "nonce not used",
        "",
        "",
        (REFILL, "const uint64_t nonce = clock_read(", "const uint64_t nonce = 0 & clock_read("),
    ),
    _seeded(
        "nonce read once per process",
        "",
        "",
        (
            REFILL,
            "\tconst uint64_t nonce = clock_read(",
            ("\tstatic uint64_t nonce;\n\tif (nonce == 0)\n\t\tnonce = clock_read("),
        ),
    ),
    _seeded(
        "nonce read before the key is fetched",
        "",
        "",
        (
            REFILL,
            "\tif (!fetch_entropy(state, flags))\n",
            "\tearly_nonce = clock_read(false);\n\tif (!fetch_entropy(state, flags))\n",
        ),
        (
            REFILL,
            "const uint64_t nonce = clock_read(",
            "const uint64_t nonce = early_nonce + 0 * clock_read(",
        ),
        (
            REFILL,
            "/* SECRET may be anywhere",
            "static uint64_t early_nonce;\n\n/* SECRET may be anywhere",
        ),
    ),
    _seeded(
        "serial number left out",
        "",
        "",
        ("csrc/additional.c", "beginning[] = { serial, len }", "beginning[] = { 0 & serial, len }"),
    ),
)

# These show in what a draw in portable C leaves behind (tests/faults/test_residue.py), without any
# fault.
LEFT_BEHIND = (
    _seeded(
        "served bytes left in a register",
        "small, from the batch",
        "",
        (
            DRAW,
            "\t\tcopy_and_erase(buf, state->batch + BATCH_BYTES - available, len);",
            # The register is named, because memcpy() leaves bytes in one with some compilers only.
            (
                '\t\t__asm__ __volatile__("movups (%0), %%xmm15" ::"r"(\n'
                "\t\t\tstate->batch + BATCH_BYTES - available)\n"
                '\t\t\t: "xmm15", "memory");\n'
                "\t\tcopy_and_erase(buf, state->batch + BATCH_BYTES - available, len);"
            ),
        ),
    ),
    _seeded(
        "copy of the key kept",
        "refilling",
        "",
        (
            REFILL,
            "\tchacha20_in_use()->keystream(out,",
            (
                "\tstatic uint8_t copy[CHACHA20_KEY_BYTES];\n"
                "\tmemcpy(copy, state->working_key, sizeof(copy));\n"
                '\t__asm__ __volatile__("" ::"r"(copy) : "memory");\n'
                "\tchacha20_in_use()->keystream(out,"
            ),
        ),
    ),
    _seeded(
        "stack not burnt",
        "refilling",
        "",
        ("csrc/chacha20/portable.c", "\tburn_stack(frame_end);\n", ""),
    ),
)
