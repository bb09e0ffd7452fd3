/* SPDX-License-Identifier: MIT */
/* Random words, integers and floats for the drop-ins. */
#ifndef VGETRANDOM_PYTHON_WORDS_H
#define VGETRANDOM_PYTHON_WORDS_H

#include <Python.h>

#include <vgetrandom.h>

#include "../wipe.h"
#include "failed_draw.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What draw() does if its first attempt fails. Not inlined: every caller of draw() would have to
 * save registers for it. */
static __attribute__((noinline, cold, unused)) int draw_again(void *to, size_t size)
{
	while (vgetrandom(to, size, 0) != (ssize_t)size)
		if (after_failed_draw())
			return -1;
	return 0;
}

/* Draws SIZE bytes, at most a few hundred: the GIL is kept. -1 with an exception set if the kernel
 * gives none. */
static inline int draw(void *to, size_t size)
{
	if (__builtin_expect(vgetrandom(to, size, 0) == (ssize_t)size, 1))
		return 0;
	return draw_again(to, size);
}

/* Unbiased integers below a bound, by Lemire's method (Fast Random Integer Generation in an
 * Interval, ACM TOMACS 29:1, 2019): the upper half of a random word times the bound. Words whose
 * product has a lower half below 2^bits mod bound would make some results more likely, and are
 * drawn again. 32-bit words are used if they suffice, since they take half as much of the batch. */

static inline int below_32(uint32_t bound, uint64_t *result)
{
	uint64_t product;
	uint32_t word, threshold = 0;
	bool computed = false;

	for (;;) {
		if (draw(&word, sizeof(word)))
			return -1;
		product = (uint64_t)word * bound;
		if ((uint32_t)product >= bound)
			break;
		/* Rare, so the division is done only here. */
		if (!computed) {
			threshold = -bound % bound;
			computed = true;
		}
		if ((uint32_t)product >= threshold)
			break;
	}
	*result = product >> 32;
	return 0;
}

#if defined(__SIZEOF_INT128__)
static inline int below_64(uint64_t bound, uint64_t *result)
{
	unsigned __int128 product;
	uint64_t word;

	do {
		if (draw(&word, sizeof(word)))
			return -1;
		product = (unsigned __int128)word * bound;
	} while ((uint64_t)product < bound && (uint64_t)product < -bound % bound);
	*result = (uint64_t)(product >> 64);
	return 0;
}
#else
/* Without 128-bit integers: draws words as long as the bound until one is below it. */
static inline int below_64(uint64_t bound, uint64_t *result)
{
	uint64_t word, mask = UINT64_MAX >> __builtin_clzll(bound);

	do {
		if (draw(&word, sizeof(word)))
			return -1;
		word &= mask;
	} while (word >= bound);
	*result = word;
	return 0;
}
#endif

/* 0 <= *RESULT < BOUND, and BOUND > 0. */
static inline int below(uint64_t bound, uint64_t *result)
{
	return bound <= UINT32_MAX ? below_32((uint32_t)bound, result) : below_64(bound, result);
}

/* 0.0 <= the result < 1.0, a multiple of 2**-53, as random.random() and NumPy have it. */
static inline double unit_double_of(uint64_t word)
{
	return (double)(int64_t)(word >> 11) * 0x1p-53;
}

static inline int unit_double(double *result)
{
	uint64_t word;

	if (draw(&word, sizeof(word)))
		return -1;
	*result = unit_double_of(word);
	return 0;
}

#endif
