/* SPDX-License-Identifier: MIT */
/* A generator's state: what lives in one page of droppable memory.
 *
 * The kernel may zero the whole page between any two instructions, so zero is a safe value of every
 * field: no valid generation, nothing available, and a key whose output is thrown away because the
 * generation is gone with it. One page, because pages are dropped one by one: a key in another page
 * than its generation could vanish without a trace.
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
	uint32_t available;    /* how many bytes, at the end of the batch, are not yet served */
	uint32_t vdso_refills; /* how many more refills may take entropy from the vDSO */
	/* The key of the run that is being computed: the kernel's entropy, mixed with a secret of
	 * ours. */
	uint8_t working_key[CHACHA20_KEY_BYTES];
	/* One run of keystream overwrites both: the secret that the next refill's key is derived
	 * from, and the bytes to be served. Aligned, so that a vector register never stores into
	 * two cache lines. */
	_Alignas(64) uint8_t key[CHACHA20_KEY_BYTES];
	uint8_t batch[BATCH_BYTES];
	_Alignas(64) uint8_t opaque[OPAQUE_BYTES]; /* the state of the vDSO's getrandom */
};

_Static_assert(KEYSTREAM_BYTES % CHACHA20_GROUP_BYTES == 0,
	       "keystream is computed in whole groups");
_Static_assert(sizeof(struct state) <= 4096, "a state must not straddle two pages");
_Static_assert(offsetof(struct state, vm_generation) == sizeof(uint64_t),
	       "nothing but the generation is before it");
_Static_assert(offsetof(struct state, batch) == offsetof(struct state, key) + CHACHA20_KEY_BYTES,
	       "one run of keystream overwrites key and batch");

#endif
