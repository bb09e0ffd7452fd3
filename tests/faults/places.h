/* SPDX-License-Identifier: MIT */
/* The instructions of a draw, and the cheapest way to each of them. */
#ifndef PLACES_H
#define PLACES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_INSTRUCTIONS (4 * 1024 * 1024)

struct instruction {
	uint64_t pc;
	uint32_t touched; /* by it; bits as in struct stop */
	/* The cheapest way to it from the draw's first instruction, in stops: from instruction
	 * FROM, by ARRIVALS at its place, or by a single step where that is 0. */
	uint32_t stops, from, arrivals;
};

extern struct instruction trace[MAX_INSTRUCTIONS];
extern size_t instructions;

/* Steps through the draw once; which instruction touches the state's GENERATION or the watched WORD
 * is noted, too. */
void places_record(const void *generation, const void *word);

/* Lets a subject that is on its way to its draw go on to instruction AT of it. */
void places_go_to(pid_t pid, size_t at);

#endif
