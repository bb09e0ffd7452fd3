/* SPDX-License-Identifier: MIT */
/* What the programs share: draws that must succeed, and figures that the test reads. */
#ifndef DRAWS_H
#define DRAWS_H

#include "record.h"

#include <vgetrandom.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Prints what went wrong and ends this process; a parent sees the status and does the same. */
#define fail(...)                             \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fprintf(stderr, "\n");        \
		_exit(1);                     \
	} while (0)

/* For what a machine lacks: says what it is, and ends with the status by which the test is skipped.
 */
#define skip(...)                    \
	do {                         \
		printf(__VA_ARGS__); \
		printf("\n");        \
		fflush(stdout);      \
		_exit(77);           \
	} while (0)

#define LARGEST_DRAW (256 * 1024)

/* Draws and records SIZE bytes, a multiple of 16 so that whatever is shared by two draws is found
 * at the same offset in both. */
static inline void draw(size_t size)
{
	static _Thread_local unsigned char buf[LARGEST_DRAW];

	if (vgetrandom(buf, size, 0) != (ssize_t)size)
		fail("vgetrandom failed: errno %d", errno);
	record(buf, size);
}

/* For signal handlers: with a buffer of its own. */
static inline void draw_16(void)
{
	unsigned char buf[16];

	if (vgetrandom(buf, sizeof(buf), 0) != sizeof(buf))
		fail("vgetrandom failed in a handler: errno %d", errno);
	record(buf, sizeof(buf));
}

static inline void print_stats(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	printf("refills=%llu\nfirst=%llu\nwiped=%llu\ngeneration=%llu\nrequested=%llu\n"
	       "syscalls=%llu\nfallbacks=%llu\n",
	       (unsigned long long)stats.refills, (unsigned long long)stats.reseeds_first,
	       (unsigned long long)stats.reseeds_wiped,
	       (unsigned long long)stats.reseeds_generation,
	       (unsigned long long)stats.reseeds_requested, (unsigned long long)stats.syscalls,
	       (unsigned long long)stats.fallbacks);
}

#endif
