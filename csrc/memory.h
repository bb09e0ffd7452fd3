/* SPDX-License-Identifier: MIT */
/* Memory for the states: the best kind that this kernel has and the environment allows. */
#ifndef VGETRANDOM_MEMORY_H
#define VGETRANDOM_MEMORY_H

#include "notes.h"

#include <stdbool.h>
#include <stddef.h>

enum memory_kind {
	MEMORY_UNKNOWN,      /* nothing was mapped yet, nor everything refused */
	MEMORY_DROPPABLE,    /* MAP_DROPPABLE: never swapped or dumped, wiped on fork */
	MEMORY_WIPE_ON_FORK, /* MADV_WIPEONFORK: may be swapped unless it could be locked */
	MEMORY_NONE,         /* neither, for good: no state may be kept */
};

/* Settled once, for the process and its children. Asking makes no system call. */
enum memory_kind memory_kind(void);

/* Whether states may be kept. If not: for good where memory_kind() is MEMORY_NONE now, otherwise
 * for want of a page that may be had later. */
bool memory_usable(void);

/* SIZE bytes of zeros, a whole number of pages, or NULL, in the same two cases. To be called where
 * memory is usable. */
void *memory_map(size_t size);
void memory_unmap(void *pages, size_t size);

/* Locks are not inherited: to be called in a forked child for what it still uses. */
void memory_after_fork(void *pages, size_t size);

void memory_notes(struct notes *notes);

#endif
