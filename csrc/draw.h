/* SPDX-License-Identifier: MIT */
/* The draw protocol: which way a request is served, and when a state may be used. */
#ifndef VGETRANDOM_DRAW_H
#define VGETRANDOM_DRAW_H

#include "slots.h"
#include "state.h"
#include "watch.h"

/* Requests up to this size take vgetrandom()'s short path. */
#define INLINE_BYTES 128

/* Requests from this size on are computed straight into the caller's buffer, in whole groups; what
 * is left comes from the batch. */
#define BULK_MIN_BYTES BATCH_BYTES
#define BULK_GRAIN_BYTES CHACHA20_GROUP_BYTES

/* The most that is computed under one key: so much that the cost of a key does not matter, so
 * little that a drop or a fork is noticed soon. */
#define BULK_BYTES (64 * 1024)

/* Whether nothing has happened to the state since its key was fetched: no drop, no fork, no reseed.
 * The answer counts only after the last use of the page; it may change before the next. */
static inline bool is_current(const struct state *state)
{
	uint64_t kernel = atomic_load_explicit(&state->generation, memory_order_relaxed);

	/* One branch for two comparisons. */
	return ((kernel ^ kernel_generation()) | (state->vm_generation ^ vm_generation())) == 0;
}

/* Fills BUF from the state in SLOT, which nobody else may use meanwhile; or from the kernel, where
 * that fails or SLOT is NULL. False with errno set where the kernel fails too: what is in BUF must
 * not be used then. */
bool draw_from_slot(struct slot *slot, void *buf, size_t len, unsigned int flags);

#endif
