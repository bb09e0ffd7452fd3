/* SPDX-License-Identifier: MIT */
#include "refill.h"

#include "chacha20/chacha20.h"
#include "clock.h"
#include "counters.h"
#include "from_kernel.h"
#include "kernel.h"
#include "process.h"
#include "states.h"
#include "watch.h"
#include "wipe.h"

bool fetch_from_vdso(struct state *state)
{
	uint64_t before = kernel_generation();

	if (kernel_vdso_getrandom(state->working_key, sizeof(state->working_key), state->opaque) !=
	    (ssize_t)sizeof(state->working_key))
		return false;
	watch_observe(before, state->opaque, sizeof(state->opaque));
	return true;
}

/* Fresh entropy into state->working_key: from the vDSO, or from the system call if the vDSO has
 * given VDSO_REFILLS times in a row or does not work. A drop zeroes the count, which is safe. */
static bool fetch_entropy(struct state *state, unsigned int flags)
{
	uint32_t left = READ_ONCE(state->vdso_refills);

	if (left > 0 && fetch_from_vdso(state)) {
		state->vdso_refills = left - 1;
		return true;
	}
	if (getrandom_counted(state->working_key, sizeof(state->working_key), flags) !=
	    (ssize_t)sizeof(state->working_key))
		return false;
	state->vdso_refills = VDSO_REFILLS;
	return true;
}

/* SECRET may be anywhere in the batch, so it need not be aligned. */
typedef uint64_t __attribute__((may_alias, aligned(1))) key_word;

ERASES_REGISTERS bool derive_key(struct state *state, const uint8_t secret[CHACHA20_KEY_BYTES],
				 unsigned int flags)
{
	if (!fetch_entropy(state, flags))
		return false;
	for (size_t i = 0; i < CHACHA20_KEY_BYTES / sizeof(uint64_t); i++)
		((key_word *)state->working_key)[i] ^= ((const key_word *)secret)[i];
	return true;
}

/* The nonce is the clock, for the sake of cloned machines. If the kernel's generator was cloned
 * too, both clones derive the same keys; with the clock they diverge at the first run for which
 * their clocks differ. It is read last, so that this holds for clones made while the key was
 * derived. Otherwise the nonce could be zero: no key is used for two runs, since a draw that is
 * redone has derived a new one. */
void keystream_counted(struct state *state, uint8_t *out, size_t bytes)
{
	const uint64_t nonce = clock_read(thread_needs_coarse_clock());

	chacha20_in_use()->keystream(out, bytes / CHACHA20_GROUP_BYTES, state->working_key, 0,
				     nonce);
	wipe(state->working_key, sizeof(state->working_key));
	count(&counters()->refills);
}

bool refill(struct state *state, unsigned int flags)
{
	if (!derive_key(state, state->key, flags))
		return false;
	keystream_counted(state, state->key, KEYSTREAM_BYTES);
	state->available = BATCH_BYTES;
	return true;
}

void look_for_generation(void)
{
	if (!watch_looking())
		return;
	/* A forked child comes here before its first draw, and may be in another time namespace. */
	watch_probe_pages(process_epoch());
	struct state *state = state_check_out();

	if (!state)
		return;
	fetch_from_vdso(state);
	wipe(state->working_key, sizeof(state->working_key));
	state_check_in(state);
}
