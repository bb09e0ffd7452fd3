/* SPDX-License-Identifier: MIT */
/* What was done, counted per thread and summed over a process. */
#ifndef VGETRANDOM_COUNTERS_H
#define VGETRANDOM_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum reseed_reason {
	RESEED_FIRST,
	RESEED_WIPED,
	RESEED_GENERATION,
	RESEED_REQUESTED,
	RESEED_REASONS
};

/* A cache line of its own: threads on other processors count too. */
struct counters {
	_Alignas(64) _Atomic uint64_t refills;
	_Atomic uint64_t reseeds[RESEED_REASONS], syscalls, fallbacks;
};

/* As many as there is room for in a page that a forked child finds wiped (process.h), so that it
 * has counted nothing whoever forked it and however: the first for threads without a state, the
 * others for states, which share them where there are more. */
#define COUNTERS 63

/* The calling thread's. */
struct counters *counters(void);

/* By any thread, or from a signal handler. */
static inline void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The sum over all threads of this process, past and present. */
void counters_sum(struct counters *sum);

#endif
