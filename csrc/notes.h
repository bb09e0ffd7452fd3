/* SPDX-License-Identifier: MIT */
/* What the operator should know, collected from every module: constant sentences. */
#ifndef VGETRANDOM_NOTES_H
#define VGETRANDOM_NOTES_H

#include <stddef.h>

struct notes {
	const char **texts; /* room for MAX and a final NULL */
	int count, max;
};

static inline void note(struct notes *notes, const char *text)
{
	if (notes->count < notes->max)
		notes->texts[notes->count++] = text;
	notes->texts[notes->count] = NULL;
}

#endif
