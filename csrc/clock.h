/* SPDX-License-Identifier: MIT */
/* The clock, from which each run of keystream takes its nonce (refill.c): clones of a machine may
 * have the same keys, but hardly the same time. clock.c is replaced in the test build, as kernel.c
 * is. */
#ifndef VGETRANDOM_CLOCK_H
#define VGETRANDOM_CLOCK_H

#include "notes.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads the finest clock there is, in ticks of any length; 0 if there is none. COARSE asks for one
 * that does not need the CPU's counter, for threads that may not read it. */
uint64_t clock_read(bool coarse);

/* Whether the calling thread has disabled the CPU's counter for itself (prctl(2), PR_SET_TSC), so
 * that reading it would be SIGSEGV. Makes one system call if the CPU has such a counter. */
bool clock_counter_is_forbidden(void);

void clock_notes(struct notes *notes);

#endif
