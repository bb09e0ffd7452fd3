/* SPDX-License-Identifier: MIT */
/* Runs of keystream, each under a key of its own: fresh entropy from the kernel mixed with a secret
 * of the state's. */
#ifndef VGETRANDOM_REFILL_H
#define VGETRANDOM_REFILL_H

#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After one refill with entropy from getrandom(2), this many may take it from the vDSO. The
 * vDSO's key lies in the page as well: if it gave all entropy, an attacker who had once read the
 * page could compute every refill until the kernel reseeds. */
#define VDSO_REFILLS 63

/* Fresh entropy from the vDSO into state->working_key; false if it gives none. The watch compares
 * what the vDSO leaves in its opaque state. */
bool fetch_from_vdso(struct state *state);

/* Puts the next run's key into state->working_key: fresh entropy mixed with SECRET, either of which
 * suffices to make the key unpredictable. The caller must erase SECRET next, or the key could be
 * computed later from a stolen state. False if the kernel gives no entropy. */
bool derive_key(struct state *state, const uint8_t secret[CHACHA20_KEY_BYTES], unsigned int flags);

/* One run of keystream, in whole groups, under state->working_key, which is erased. Counted in
 * stats() as a refill. */
void keystream_counted(struct state *state, uint8_t *out, size_t bytes);

/* Overwrites key and batch by one run of keystream (fast key erasure). False if the kernel gives no
 * entropy. */
bool refill(struct state *state, unsigned int flags);

/* Looks for the kernel's generation now instead of at a later refill, while a system call may still
 * be made and info() is being asked. */
void look_for_generation(void);

#endif
