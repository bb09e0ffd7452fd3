/* SPDX-License-Identifier: MIT */
/* The sizes that decide which way a request is served. */
#ifndef VGETRANDOM_DRAW_H
#define VGETRANDOM_DRAW_H

#include "state.h"
#include "states.h"
#include "watch.h"

/* Up to here the plain case is worth its own path. */
#define INLINE_BYTES 128

/* From here on straight into the caller's buffer, in whole groups; the rest comes from the
 * batch. */
#define BULK_MIN_BYTES BATCH_BYTES
#define BULK_GRAIN_BYTES CHACHA20_GROUP_BYTES

/* Under one key: long enough that fetching the key does not count, short enough that a drop or a
 * fork is noticed soon. */
#define BULK_BYTES (64 * 1024)

/* Whether nothing has happened to the state since its key was fetched. Asked after its last use. */
static inline bool is_current(const struct state *state)
{
	uint64_t kernel = atomic_load_explicit(&state->generation, memory_order_relaxed);

	/* One branch for both. */
	return ((kernel ^ kernel_generation()) | (state->vm_generation ^ vm_generation())) == 0;
}

/* All of BUF from the state in SLOT, which nobody else uses meanwhile, or else from the kernel.
 * SLOT may be NULL. False with errno set where the kernel fails; BUF is then void. */
bool draw_from_slot(struct slot *slot, void *buf, size_t len, unsigned int flags);

#endif
