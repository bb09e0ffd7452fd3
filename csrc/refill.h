/* SPDX-License-Identifier: MIT */
/* Runs of keystream, and the key of each: entropy that the kernel gives for it, mixed with what the
 * state had before. */
#ifndef VGETRANDOM_REFILL_H
#define VGETRANDOM_REFILL_H

#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After one refill with entropy from getrandom(2), this many may take it from the vDSO. The
 * vDSO's own key lies in the page too: an attacker who stole both keys could follow the generator
 * until the kernel reseeds. */
#define VDSO_REFILLS 63

/* Entropy of this moment into state->working_key, over the vDSO; false where that gives none. What
 * it leaves in its opaque state is shown to the watch. */
bool fetch_from_vdso(struct state *state);

/* The key of the next run, in state->working_key: entropy of this moment mixed with SECRET, which
 * is erased or overwritten next. Either of the two alone would make it unpredictable. False where
 * the kernel gives none. */
bool derive_key(struct state *state, const uint8_t secret[CHACHA20_KEY_BYTES], unsigned int flags);

/* One run of keystream, of whole groups, under the key at work, which is erased. */
void compute_keystream(struct state *state, uint8_t *out, size_t bytes);

/* A new key and a new batch, in one run that overwrites the old ones. False where the kernel gives
 * no entropy. */
bool refill(struct state *state, unsigned int flags);

/* Looks for the kernel's generation now, not at some refill. */
void look_for_generation(void);

#endif
