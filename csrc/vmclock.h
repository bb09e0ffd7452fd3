/* SPDX-License-Identifier: MIT */
/* The page in which a hypervisor tells of snapshots and migrations. */
#ifndef VGETRANDOM_VMCLOCK_H
#define VGETRANDOM_VMCLOCK_H

#include "watch.h"

#include <stdbool.h>

/* Maps the vmclock device at PATH read-only and returns the word to watch in it: its generation
 * counter, or, where the hypervisor offers none, its disruption marker. NULL with errno set where
 * there is no such device or it cannot be opened. */
watched_word *vmclock_map(const char *path);

/* Whether that is the counter, which moves for clones alone. The marker moves at every jump of the
 * clock, live migrations included. */
bool vmclock_is_counter(watched_word *word);

/* For a word that is not watched after all. */
void vmclock_unmap(watched_word *word);

#endif
