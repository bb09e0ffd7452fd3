/* SPDX-License-Identifier: MIT */
/* Counters for stats(): one set per state, summed over the process. */
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

/* In a cache line of its own: threads on other processors increment theirs. */
struct counters {
	_Alignas(64) _Atomic uint64_t refills;
	_Atomic uint64_t reseeds[RESEED_REASONS], syscalls, fallbacks;
};

/* As many as fit into the process's page (process.h). The kernel zeroes that in a child, so a child
 * counts from zero however it was forked. The first set is for threads without a state, the others
 * for states; if there are more states than sets, they share them. */
#define COUNTERS 63

/* The calling thread's. */
struct counters *counters(void);

static inline void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The sum over all threads of this process, past and present. */
void counters_sum(struct counters *sum);

#endif
