/* SPDX-License-Identifier: MIT */
/* ChaCha20 keystream: one implementation for each instruction set (sets.h), of which one is in use.
 *
 * The block function is that of RFC 8439, with Bernstein's 64-bit block counter (words 12 and 13)
 * and 64-bit nonce (words 14 and 15). The order of the bytes is our own, the same on every machine:
 * 16 blocks are a group of 1,024 bytes, and word w of block i of the group is at byte 64 w + 4 i,
 * little-endian. A vector register holds one word of many blocks and can be stored as it is; the
 * standard order would need a transposition. docs/keystream.md specifies this for other
 * implementations.
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

/* Writes GROUPS groups of the keystream of KEY and NONCE to OUT, starting at block COUNTER. That is
 * a multiple of 16, so that the counter's low word can overflow only between two groups.
 *
 * KEY may be read more than once and must not overlap OUT. It is in a droppable page and may become
 * zero at any moment: the output is then worthless, but nothing else happens. When the function
 * returns, neither the stack nor a register holds key or state.
 */
typedef void keystream_fn(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES],
			  uint64_t counter, uint64_t nonce);

#define SET(name, ...) keystream_fn chacha20_##name;
#include "sets.h"

/* Moves LEN bytes, more than 32, and erases them at FROM (copy_and_erase.h). */
typedef void copy_and_erase_fn(uint8_t *to, uint8_t *from, size_t len);

copy_and_erase_fn copy_and_erase_words, copy_and_erase_avx;

struct chacha20_set {
	const char *name;
	keystream_fn *keystream;           /* NULL: not for this architecture */
	copy_and_erase_fn *copy_and_erase; /* with the widest registers of the set */
	bool (*is_supported)(void);        /* by this CPU and by the operating system */
};

/* In the order of sets.h; the last has no name. */
extern const struct chacha20_set chacha20_sets[];

bool chacha20_is_supported(const struct chacha20_set *set);

/* Chooses the best set that this machine supports, that VGETRANDOM_CHACHA20 allows and that passes
 * a known-answer test, unless one has been chosen before. False if there is no memory for the test.
 * Must have returned true before chacha20_in_use() is called. Racing callers choose the same. */
bool chacha20_choose(void);

const struct chacha20_set *chacha20_in_use(void);

void chacha20_notes(struct notes *notes);

#endif
