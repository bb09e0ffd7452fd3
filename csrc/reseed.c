/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "reseed.h"

#include "additional.h"
#include "counters.h"
#include "from_kernel.h"
#include "refill.h"
#include "watch.h"
#include "wipe.h"

#include <errno.h>

static enum reseed_reason reseed_reason(const struct state *state, const struct slot *slot)
{
	uint64_t generation = atomic_load_explicit(&state->generation, memory_order_relaxed);

	if (!slot->keyed)
		return RESEED_FIRST;
	if (generation == 0)
		return RESEED_WIPED;
	return generation == REQUESTED_GENERATION ? RESEED_REQUESTED : RESEED_GENERATION;
}

bool reseed(struct slot *slot, unsigned int flags)
{
	struct state *state = slot->state;
	enum reseed_reason reason = reseed_reason(state, slot);

	states_after_fork(slot);
	wipe(state->key, KEYSTREAM_BYTES);
	state->available = 0;
	state->vdso_refills = VDSO_REFILLS;
	/* Found now, the watched word covers this key already. */
	if (watch_looking())
		fetch_from_vdso(state);
	/* Before the key is fetched: a fork or a reseed in between is noticed after the draw. The
	 * fence keeps two orders, also in the eyes of other processors:
	 * - the watched words are loaded before the key is fetched; or a key from before the kernel
	 *   reseeded could be taken for one from after it (as in lib/vdso/getrandom.c);
	 * - the generation is stored before the key is fetched and the caller's bytes are read; or
	 *   it could overwrite a request whose bytes the key has not got (vgetrandom_reseed()). */
	state->vm_generation = vm_generation();
	atomic_store_explicit(&state->generation, kernel_generation(), memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* Once more: a handler may have forked since the first time, and this child would take what
	 * its parent's threads left for theirs until its next reseed. From the store on, a fork
	 * wipes the generation, and all of this is done again. */
	states_after_fork(slot);
	ssize_t got = getrandom_counted(state->key, CHACHA20_KEY_BYTES, flags);

	if (got != CHACHA20_KEY_BYTES) {
		atomic_store_explicit(&state->generation, 0, memory_order_relaxed);
		if (got >= 0)
			errno = EIO;
		return false;
	}
	/* Here and nowhere else: every later key of this state comes from this one, as do the keys
	 * of bulk requests, and none is used whose beginning is not valid any more. */
	additional_add(state->key);
	slot->keyed = true;
	count(&counters()->reseeds[reason]);
	return true;
}

static void request_reseed(struct state *state)
{
	atomic_store_explicit(&state->generation, REQUESTED_GENERATION, memory_order_relaxed);
}

/* What the caller did before, and the bytes, come before the marks: a thread that begins to fetch a
 * key stores its generation, fences, and then reads the bytes (reseed()). So either it sees them,
 * or its generation is overwritten by the mark and the key is fetched again. A thread that claims
 * a state meanwhile does both after the claim: where the claim is not seen here, it sees the bytes.
 * additional.pml is the same for a model checker. */
void vgetrandom_reseed(const void *additional, size_t len)
{
	int saved_errno = errno;

	if (len > 0)
		additional_give(additional, len);
	atomic_thread_fence(memory_order_seq_cst);
	states_visit(request_reseed);
	errno = saved_errno;
}
