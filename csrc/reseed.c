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

	slot_after_fork(slot);
	wipe(state->key, KEYSTREAM_BYTES);
	state->available = 0;
	state->vdso_refills = VDSO_REFILLS;
	/* If this finds the word to watch, it is watched for this key already. */
	if (watch_looking())
		fetch_from_vdso(state);
	/* The generation is stored before the key is fetched; were it the other way round, a fork
	 * or a reseed in between would go unnoticed. The fence keeps two orders, on all processors:
	 * - The watched words are loaded before the key is fetched. Otherwise a key from before a
	 *   reseed of the kernel could pass for one from after it (lib/vdso/getrandom.c has the
	 *   same order).
	 * - The generation is stored before the key is fetched and the caller's bytes are read.
	 *   Otherwise it could overwrite a request whose bytes this key does not contain; see
	 *   vgetrandom_reseed(). */
	state->vm_generation = vm_generation();
	atomic_store_explicit(&state->generation, kernel_generation(), memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* Again, because a signal handler may have forked since the first call: the child would
	 * take slots of threads that it does not have for taken until its next reseed. After the
	 * store above a fork zeroes the generation, and all of this is redone. */
	slot_after_fork(slot);
	ssize_t got = getrandom_counted(state->key, CHACHA20_KEY_BYTES, flags);

	if (got != CHACHA20_KEY_BYTES) {
		atomic_store_explicit(&state->generation, 0, memory_order_relaxed);
		if (got >= 0)
			errno = EIO;
		return false;
	}
	/* To add them here is enough: every later key of this state, of bulk requests too, is
	 * derived from this one until the next reseed. */
	additional_add(state->key);
	slot->keyed = true;
	count(&counters()->reseeds[reason]);
	return true;
}

static void request_reseed(struct state *state)
{
	atomic_store_explicit(&state->generation, REQUESTED_GENERATION, memory_order_relaxed);
}

/* The fence orders the caller's bytes before the marks on the states. A thread that is fetching a
 * key stores its generation, fences, and then reads the bytes (reseed()). So either it sees them,
 * or the mark overwrites its generation and it fetches a key again. A thread that claims a state at
 * the same time does all of that after the claim: if slots_visit() misses the claim, the thread
 * sees the bytes. additional.pml shows this to a model checker. */
void vgetrandom_reseed(const void *additional, size_t len)
{
	int saved_errno = errno;

	if (len > 0)
		additional_give(additional, len);
	atomic_thread_fence(memory_order_seq_cst);
	slots_visit(request_reseed);
	errno = saved_errno;
}
