/* SPDX-License-Identifier: MIT */
/* Converting random words into numbers, in place. */
#ifndef VGETRANDOM_PYTHON_NUMBERS_H
#define VGETRANDOM_PYTHON_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers {
	size_t width;  /* the size of a number in bytes */
	size_t word;   /* the size of the word that it is made from: the same or half */
	uint64_t low;  /* for integers: the lowest possible one */
	uint64_t span; /* for integers: how many are possible; 0 means all of that width */
	bool (*convert)(char *piece, size_t count, const struct numbers *numbers);
};

/* From 0 to 1, 1 not included: multiples of 2^-53 and 2^-24, as NumPy's. */
extern const struct numbers doubles, floats;

/* Fills in the rest of NUMBERS for integers of its width, low and span; false if there are no
 * integers of that width. */
bool describe_integers(struct numbers *numbers);

#endif
