/* SPDX-License-Identifier: MIT */
/* Memory for the states: the best kind that this kernel has and the environment allows. */
#ifndef VGETRANDOM_MEMORY_H
#define VGETRANDOM_MEMORY_H

#include "notes.h"

#include <stdbool.h>
#include <stddef.h>

enum memory_kind {
	MEMORY_UNKNOWN,      /* nothing has been mapped yet, nor has everything been refused */
	MEMORY_DROPPABLE,    /* MAP_DROPPABLE: never swapped or dumped, wiped on fork */
	MEMORY_WIPE_ON_FORK, /* MADV_WIPEONFORK: may be swapped unless it could be locked */
	MEMORY_NONE,         /* neither can ever be had: no state may be kept */
};

/* Once it is known it does not change, in children neither. Makes no system call. */
enum memory_kind memory_kind(void);

/* Whether states may be kept. If not, it is for good if memory_kind() is MEMORY_NONE now; otherwise
 * a page was lacking (process.h) that may be had later. */
bool memory_usable(void);

/* Maps SIZE bytes, a whole number of pages; NULL in the same two cases. To be called if
 * memory_usable(). */
void *memory_map(size_t size);
void memory_unmap(void *pages, size_t size);

/* To be called in a forked child for pages that it goes on using: locks are not inherited. */
void memory_after_fork(void *pages, size_t size);

void memory_notes(struct notes *notes);

#endif
