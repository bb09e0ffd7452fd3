/* SPDX-License-Identifier: MIT */
/* Telling a forked child from its parent. pthread_atfork(3) will not do: raw clone(2) does not run
 * its handlers. */
#ifndef VGETRANDOM_PROCESS_H
#define VGETRANDOM_PROCESS_H

#include "counters.h"

#include <stdbool.h>
#include <stdint.h>

/* Set in every epoch, and in nothing else that vgetrandom_process() returns. */
#define EPOCH_BIT (UINT64_C(1) << 63)

/* What belongs to one process only, in a page that the kernel zeroes in a forked child. It must not
 * be droppable: a drop would look like a fork. */
struct process_page {
	_Atomic uint64_t epoch;   /* 0: none yet; without EPOCH_BIT: it is being made */
	_Atomic bool mapped_here; /* by this process, and not by a parent */
	struct counters counters[COUNTERS];
};

/* NULL if the first attempt to map such a page has failed, until process_has_page() has mapped it.
 */
struct process_page *process_page(void);

/* Whether there is such a page; each call tries to map it, unless such pages are refused for good.
 * Without it no state may be kept, because a child could not tell whose the states are. */
bool process_has_page(void);

/* Whether this process has mapped the page itself, and not inherited it. */
bool process_mapped_page(void);

/* A random number with EPOCH_BIT, which no other process has, neither parent nor child; 0 where
 * there is no page. */
uint64_t process_epoch(void);

/* The epoch; where there is none, a number that the kernel gives to no other process until the next
 * boot; 0 where it has no such number. */
uint64_t process_number(void);

#endif
