/* SPDX-License-Identifier: MIT */
/* The vmclock device: a page in which a hypervisor tells of snapshots and migrations. */
#ifndef VGETRANDOM_VMCLOCK_H
#define VGETRANDOM_VMCLOCK_H

#include "watch.h"

#include <stdbool.h>

/* Maps the device at PATH and returns the word to watch: the generation counter or, if the
 * hypervisor offers none, the disruption marker. NULL with errno set if there is no such device or
 * it cannot be opened. */
watched_word *vmclock_map(const char *path);

/* Whether WORD is the counter, which changes only when the machine is restored from a snapshot. The
 * marker changes whenever the clock jumps, at live migrations too. */
bool vmclock_is_counter(watched_word *word);

/* Unmaps the page of a word that is not to be watched after all. */
void vmclock_unmap(watched_word *word);

#endif
