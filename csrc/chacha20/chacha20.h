/* ChaCha20 keystream: one table entry per instruction set, one of them in use.
 *
 * The block function is that of RFC 8439, with a zero nonce and Bernstein's 64-bit block counter
 * (words 12 and 13), which agrees with the RFC's 32-bit counter for the first 2^32 blocks.
 */
#ifndef VGETRANDOM_CHACHA20_H
#define VGETRANDOM_CHACHA20_H

#include "../notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHACHA20_KEY_BYTES 32
#define CHACHA20_BLOCK_BYTES 64

/* Writes blocks COUNTER, COUNTER+1, ... of KEY's keystream to OUT, in standard order.
 *
 * KEY may be read more than once, must not overlap OUT, and may turn to zeros at any moment (it
 * lives in a droppable page): the output is then worthless but nothing else happens.
 * Neither the stack nor a register holds key or state when the function returns.
 */
typedef void chacha20_fn(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
			 uint64_t counter);

/* Moves LEN bytes, more than 32, and erases them where they were (take.h). */
typedef void take_fn(uint8_t *to, uint8_t *from, size_t len);

take_fn take_words, take_avx;

struct chacha20 {
	const char *name;
	bool (*supported)(void); /* by this CPU and by the operating system */
	chacha20_fn *keystream;
	take_fn *take; /* as wide as the set allows */
};

extern const struct chacha20 chacha20_portable;
#if defined(__x86_64__)
extern const struct chacha20 chacha20_sse2, chacha20_avx2, chacha20_avx512;
#elif defined(__aarch64__)
extern const struct chacha20 chacha20_neon;
#endif

/* Every instruction set compiled in, best first; ends with NULL. */
extern const struct chacha20 *const chacha20_all[];

/* The one in use: the best that this machine supports, that VGETRANDOM_CHACHA20 allows, and that
 * passes a known-answer test. Chosen at the first call; racing callers choose the same. */
const struct chacha20 *chacha20(void);

/* How that choice is made, among SETS; tests pass one that is broken. NULL if none is sound. NOTES
 * becomes the set of sentences that chacha20_notes() says. */
const struct chacha20 *chacha20_choose(const struct chacha20 *const *sets, unsigned int *notes);

/* What the choice has to tell the operator. */
void chacha20_notes(struct notes *notes);

#endif
