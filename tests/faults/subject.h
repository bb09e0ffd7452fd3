/* SPDX-License-Identifier: MIT */
/* The process that faults are injected into: it draws, and records what it got.
 *
 * It is forked from the injector for every run. Its records are in memory that the injector and all
 * its descendants share. Drawn bytes are copied there only after the draw has returned, because a
 * parent and a child that finish the same draw would overwrite each other's.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "../../csrc/include/vgetrandom.h"
#include "../c/scripted_kernel.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PREPARATIONS 4
#define MAX_RECORDS 32
#define MAX_BYTES (512 * 1024) /* of one draw */
#define ARENA_BYTES (8 * 1024 * 1024)
#define NESTED_BYTES 40 /* not a key's 32: the two must not be taken for each other */
#define LAST_BYTES 24

enum role { PREPARATION, SUBJECT, NESTED, FOLLOWING, LAST };

/* One draw, written when it has returned. */
struct record {
	int32_t pid;     /* of the process that it returned in */
	int32_t began;   /* ... and that it began in */
	uint32_t serial; /* counts the draws of a process; a fork in a draw keeps the number */
	uint32_t role;   /* enum role */
	uint32_t
		fork; /* the number of the fork that this process came from; 0: it is the subject */
	int32_t error; /* errno of a failure */
	int64_t result;
	uint64_t len;
	uint64_t calls_before, calls_after; /* of the scripted kernel, by anybody */
	uint64_t offset;                    /* of the bytes in the arena */
};

struct observed {
	const void *state; /* the address of the subject's generator at the end */
	_Atomic uint64_t
		first_keys; /* the most keys that any one process fetched as a thread's first */
	_Atomic uint64_t failures; /* descendants that did not end well */
	_Atomic uint64_t used;     /* of the arena */
	/* How many processes there are, and how many have made all draws but their last. */
	_Atomic uint32_t processes, ready;
	_Atomic uint32_t last; /* a lock: some process is making its last draw */
	_Atomic uint32_t records;
	struct record record[MAX_RECORDS];
	uint8_t arena[ARENA_BYTES];
};

/* The library under test. */
struct core {
	ssize_t (*draw)(void *buf, size_t len, unsigned int flags);
	void (*get_stats)(struct vgetrandom_stats *stats);
	void *(*state)(void);
	struct script *(*script)(void);
	uint8_t (*byte)(uint64_t seed, uint64_t n, uint64_t i);
	void (*reseed_kernel)(uint64_t generation);
};

struct plan {
	size_t preparation[MAX_PREPARATIONS]; /* sizes; 0 ends them */
	size_t len;                           /* of the draw that the faults are injected into */
	size_t following[2];
};

/* The serial number of the current draw, 0 between draws; the injector reads it at a stop. */
extern volatile uint32_t draw_at_work;

/* How many forks have returned, and whether the core is running. The injector reads them, too. */
extern volatile uint32_t forks_done, in_core;

/* Makes the draws of PLAN and one more after a reseed of the kernel, and exits with 0, or with 1 if
 * a descendant failed. It calls stepping_mark() before and after the draw that faults are injected
 * into. */
_Noreturn void subject_run(const struct core *core, const struct plan *plan,
			   struct observed *observed);

#endif
