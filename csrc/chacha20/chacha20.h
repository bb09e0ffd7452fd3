/* SPDX-License-Identifier: MIT */
/* ChaCha20 keystream: one implementation per instruction set (sets.h), one of them in use.
 *
 * The block function is that of RFC 8439, with Bernstein's 64-bit block counter (words 12 and 13)
 * and 64-bit nonce (words 14 and 15). The order of the bytes is ours, the same on every machine:
 * 16 blocks are a group of 1,024 bytes, and word w of block i of a group lies, little-endian, at
 * byte 64 w + 4 i of it. A vector register holds one word of many blocks, so each is stored as it
 * is; the standard order would take a transposition. docs/keystream.md says all of this for
 * others who compute the same.
 */
#ifndef VGETRANDOM_CHACHA20_H
#define VGETRANDOM_CHACHA20_H

#include "../notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHACHA20_KEY_BYTES 32
#define CHACHA20_BLOCK_BYTES 64
#define CHACHA20_GROUP_BLOCKS 16
#define CHACHA20_GROUP_BYTES (CHACHA20_GROUP_BLOCKS * CHACHA20_BLOCK_BYTES)

/* Writes GROUPS groups of the keystream of KEY and NONCE to OUT, from block COUNTER on, which is a
 * multiple of 16: so the counter's low word overflows between groups only.
 *
 * KEY may be read more than once, must not overlap OUT, and may turn to zeros at any moment (it
 * lives in a droppable page): the output is then worthless but nothing else happens.
 * Neither the stack nor a register holds key or state when the function returns.
 */
typedef void keystream_fn(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES],
			  uint64_t counter, uint64_t nonce);

#define SET(name, ...) keystream_fn chacha20_##name;
#include "sets.h"

/* Moves LEN bytes, more than 32, and erases them where they were (copy_and_erase.h). */
typedef void copy_and_erase_fn(uint8_t *to, uint8_t *from, size_t len);

copy_and_erase_fn copy_and_erase_words, copy_and_erase_avx;

struct chacha20_set {
	const char *name;
	keystream_fn *keystream;           /* NULL: not for this kind of machine */
	copy_and_erase_fn *copy_and_erase; /* as wide as the set allows */
	bool (*is_supported)(void);        /* by this CPU and by the operating system */
};

/* In the order of sets.h; a NULL name ends them. */
extern const struct chacha20_set chacha20_sets[];

bool chacha20_is_supported(const struct chacha20_set *set);

/* Chooses the best set that this machine supports, that VGETRANDOM_CHACHA20 allows, and that
 * passes a known-answer test; nothing is done where one was chosen before. False where there is no
 * memory for the test. To be called before chacha20_in_use(). Racing callers choose the same. */
bool chacha20_choose(void);

const struct chacha20_set *chacha20_in_use(void);

/* What the choice has to tell the operator. */
void chacha20_notes(struct notes *notes);

#endif
