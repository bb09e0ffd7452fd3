/* SPDX-License-Identifier: MIT */
/* Random words into numbers, where they lie. */
#ifndef VGETRANDOM_PYTHON_NUMBERS_H
#define VGETRANDOM_PYTHON_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers {
	size_t width;  /* of one, in bytes */
	size_t word;   /* of the words that they are made of: as wide, or half */
	uint64_t low;  /* integers: the lowest, */
	uint64_t span; /* and how many there are; 0: all of that width */
	bool (*convert)(char *piece, size_t count, const struct numbers *numbers);
};

/* From 0 to 1, 1 not included: multiples of 2^-53 and 2^-24, as NumPy's. */
extern const struct numbers doubles, floats;

/* Fills in the rest of NUMBERS for integers of its width, low and span; false for a width that
 * there is not. */
bool describe_integers(struct numbers *numbers);

#endif
