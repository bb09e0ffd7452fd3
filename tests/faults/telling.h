/* SPDX-License-Identifier: MIT */
/* Writes results to standard output, in the layout that tests/faults/injector.py reads. */
#ifndef TELLING_H
#define TELLING_H

#include <stddef.h>
#include <stdint.h>

#define MAX_FAULTS 2 /* in one run */

enum outcome { NOT_REACHED, DONE, PAGE_WRITTEN, NOTHING_THERE };

struct fault {
	uint32_t outcome;
	uint64_t calls; /* how many the scripted kernel had answered before the fault */
	/* Bit N: draw N touched it afterwards, while it was traced. */
	uint64_t generation_touched, word_touched;
};

struct result {
	uint32_t seed, faults;
	int32_t status;
	uint32_t records, log;
	uint64_t first_keys, failures, used;
	struct fault fault[MAX_FAULTS];
};

/* The core's constants and the instructions of the draw. */
void tell_trace(void);

/* One run; STATE is the generator's memory when the draw had returned. */
void tell(struct result *result, const void *state);

#endif
