/* SPDX-License-Identifier: MIT */
/* One thread's generator: the part that lives in one page of droppable memory.
 *
 * The kernel may turn the whole page to zeros between any two instructions, so zero is the safe
 * value of every field: no valid generation, nothing available, a key that is never used because
 * the generation beside it is gone too.
 */
#ifndef VGETRANDOM_STATE_H
#define VGETRANDOM_STATE_H

#include "chacha20/chacha20.h"

#include <stdatomic.h>
#include <stdint.h>

/* One run of keystream: the next key, then the batch. bench/batch_size.py measures other sizes. */
#ifndef KEYSTREAM_BYTES
#define KEYSTREAM_BYTES (3 * 1024)
#endif
#define BATCH_BYTES (KEYSTREAM_BYTES - CHACHA20_KEY_BYTES)

/* Room for the vDSO's opaque state; 144 bytes on every kernel so far. */
#define OPAQUE_BYTES 256

struct state {
	/* The watched generations that the key was fetched under (watch.h); another thread may
	 * overwrite the first with REQUESTED_GENERATION. */
	_Atomic uint64_t generation;
	uint64_t vm_generation;
	uint32_t available;    /* the last bytes of the batch, not yet served */
	uint32_t vdso_refills; /* how many more refills may take the vDSO's word for entropy */
	uint8_t working_key[CHACHA20_KEY_BYTES]; /* the key at work: from the kernel, mixed with
						    ours */
	/* Aligned, so that vector registers are stored into one cache line each. */
	_Alignas(64) uint8_t key[CHACHA20_KEY_BYTES]; /* goes into the next refill; and: */
	uint8_t batch[BATCH_BYTES]; /* both are overwritten by one run of keystream */
	_Alignas(64) uint8_t opaque[OPAQUE_BYTES]; /* the vDSO's own state */
};

_Static_assert(KEYSTREAM_BYTES % CHACHA20_GROUP_BYTES == 0,
	       "keystream is computed in whole groups");
_Static_assert(sizeof(struct state) <= 4096, "a state must not straddle two pages");
_Static_assert(offsetof(struct state, batch) == offsetof(struct state, key) + CHACHA20_KEY_BYTES,
	       "one run of keystream overwrites key and batch");

#endif
