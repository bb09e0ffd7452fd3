/* SPDX-License-Identifier: MIT */
/* The clock that every run of keystream takes its nonce from (refill.c): two clones of a machine
 * have the same keys, but not the same time. clock.c is replaced in the test build, as kernel.c is.
 */
#ifndef VGETRANDOM_CLOCK_H
#define VGETRANDOM_CLOCK_H

#include "notes.h"

#include <stdbool.h>
#include <stdint.h>

/* A reading of the finest clock there is, in ticks of its own; 0 where there is none. COARSE: of
 * one that is kept without the CPU's counter, for a thread that may not read that. */
uint64_t clock_read(bool coarse);

/* Whether the calling thread has forbidden itself the CPU's counter (prctl(2), PR_SET_TSC): to read
 * it would be a SIGSEGV. One system call where there is such a counter. */
bool clock_counter_is_forbidden(void);

void clock_notes(struct notes *notes);

#endif
