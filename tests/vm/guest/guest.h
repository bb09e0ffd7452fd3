/* SPDX-License-Identifier: MIT */
/* The first and only program of a guest: what its parts share. All of the library that they use is
 * its public interface. A line of the serial console that begins with @ is a result; the kernel
 * writes there too.
 */
#ifndef VGETRANDOM_GUEST_H
#define VGETRANDOM_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAW_BYTES 16

/* A check's exit status where there is nothing to check. */
#define NOT_HERE 77

/* Ends this process, whose parent then reports the check as failed. */
#define fail(...)                    \
	do {                         \
		printf("@why=");     \
		printf(__VA_ARGS__); \
		printf("\n");        \
		_exit(1);            \
	} while (0)

/* As many draws of DRAW_BYTES. */
void draw_many(unsigned char *into, size_t draws);
/* Fails if two of them are the same; sorts them. */
void expect_unique(unsigned char *drawn, size_t draws);

/* A mapping with this flag in /proc/self/smaps ("dp": droppable); false where there is none. */
struct mapping {
	unsigned char *start;
	size_t bytes;
	bool locked;
};
bool find_mapping(const char *flag, struct mapping *found);

void check_draws(void);
void check_flags(void);
void check_forks(void);
void check_signals(void);
void check_threads(void);
void check_memory(void);
void check_drops(void);
void check_kernel_reseed(void);
void check_time_namespace(void);
void check_requests(void);

void check_mlockall(void);
void check_pressure(void);

/* Draws into a log in memory, for ever; the host reads the log from snapshots of the memory. */
void run_clone(void);

#endif
