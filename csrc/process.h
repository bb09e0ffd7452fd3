/* SPDX-License-Identifier: MIT */
/* Telling a forked child from its parent without a hook: raw clone(2) runs none. */
#ifndef VGETRANDOM_PROCESS_H
#define VGETRANDOM_PROCESS_H

#include "counters.h"

#include <stdbool.h>
#include <stdint.h>

/* In every epoch, and in nothing else that vgetrandom_process() returns. */
#define EPOCH (UINT64_C(1) << 63)

/* What is one process's alone, in a page that a forked child finds full of zeros. It is not
 * droppable: a drop would look like a fork. */
struct process_page {
	_Atomic uint64_t epoch; /* 0: none yet; without the bit: it is being made */
	struct counters counters[COUNTERS];
};

/* NULL where such a page could not be had at the first attempt. */
struct process_page *process_page(void);

/* Whether there is such a page. If not, no state may be kept; each call tries again, unless such
 * pages are refused for good. */
bool process_has_page(void);

/* Whether it was this process that mapped the page, and not one that it was forked from. */
bool process_mapped_page(void);

/* A number that no other process has, not even one that was forked from this or forked it: drawn at
 * random, with EPOCH in it. 0 where there is no page. */
uint64_t process_epoch(void);

/* The epoch, or where there is none the number that the kernel gives to the process and to no other
 * until it is rebooted; 0 where it gives none either. */
uint64_t process_number(void);

#endif
