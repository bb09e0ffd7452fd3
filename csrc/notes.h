/* SPDX-License-Identifier: MIT */
/* Sentences for info(): what this machine lacks, and why. Each module adds its own. */
#ifndef VGETRANDOM_NOTES_H
#define VGETRANDOM_NOTES_H

#include <stddef.h>

struct notes {
	const char **texts; /* constant strings; room for MAX and a final NULL */
	int count, max;
};

static inline void note(struct notes *notes, const char *text)
{
	if (notes->count < notes->max)
		notes->texts[notes->count++] = text;
	notes->texts[notes->count] = NULL;
}

#endif
