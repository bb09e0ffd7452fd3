/* SPDX-License-Identifier: MIT */
/* One run of the subject under the tracer, and what all runs have in common. */
#ifndef TRACED_H
#define TRACED_H

#include "stepping.h"
#include "subject.h"

#include <stdint.h>
#include <sys/types.h>

#define NOT_HERE 77 /* exit status: what this machine lacks is on standard error */

/* The library under test, what the subject draws, and what it tells. */
extern struct core core;
extern const void *library_base;
extern struct plan plan;
extern struct observed *observed;

/* Loads the core at PATH, and maps what the subject tells. */
void traced_prepare(const char *path);

/* Starts a subject, whose kernel answers from SEED, and lets it go on to its draw. It next arrives
 * at the draw's first instruction. */
pid_t traced_start(uint64_t seed);

/* Lets it go on unwatched, if it has not ended; returns the status that it ended with. */
int traced_finish(pid_t pid, struct stop stop);

#endif
