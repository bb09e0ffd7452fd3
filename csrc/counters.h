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

struct counters {
	_Atomic uint64_t epoch; /* of the process that is counted: a forked child starts at zero */
	_Atomic uint64_t refills, reseeds[RESEED_REASONS], syscalls, fallbacks;
};

/* Makes COUNTERS count for the process of EPOCH. */
void counters_begin(struct counters *counters, uint64_t epoch);

/* By any thread, or from a signal handler. */
void count(_Atomic uint64_t *counter);

/* By one thread, and never from a handler that could interrupt this. */
static inline void count_alone(_Atomic uint64_t *counter)
{
	uint64_t counted = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, counted + 1, memory_order_relaxed);
}

/* Adds what COUNTERS has of the process of EPOCH. */
void counters_add(struct counters *sum, const struct counters *counters, uint64_t epoch);

#endif
