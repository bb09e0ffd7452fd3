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
	/* The way to it that takes the fewest stops from the draw's first instruction: from
	 * instruction FROM, stop ARRIVALS times at its address, or make one single step if that
	 * is 0. */
	uint32_t stops, from, arrivals;
};

extern struct instruction trace[MAX_INSTRUCTIONS];
extern size_t instructions;

/* Steps through the draw once, and records which instructions touch the state's GENERATION or the
 * watched WORD. */
void places_record(const void *generation, const void *word);

/* Lets a subject that has been started go on to instruction AT of its draw. */
void places_go_to(pid_t pid, size_t at);

#endif
