/* SPDX-License-Identifier: MIT */
/* The slots: which states there are, and who owns each. A slot is reused when its owner gives it
 * back, and when a fork has left its owner behind. */
#ifndef VGETRANDOM_SLOTS_H
#define VGETRANDOM_SLOTS_H

#include "state.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Owners are 64-bit words that change by compare-and-swap, in signal handlers too. Where libatomic
 * takes a lock for that (32-bit MIPS), a handler could wait for the very thread it interrupted. */
#if ATOMIC_LLONG_LOCK_FREE != 2
#error "vgetrandom needs 64-bit atomic operations without locks; this architecture has none"
#endif

/* What is known about a state. It is in ordinary memory because it must survive drops and forks,
 * which zero the state. */
struct slot {
	/* 0 if free. A thread's slot holds the epoch (process.h) it was claimed in; an object's the
	 * same without EPOCH_BIT. */
	_Alignas(128) _Atomic uint64_t owner;
	struct state *state;
	bool keyed;       /* the state has had a key since it was claimed */
	uint8_t counters; /* the index of its counters (counters.h) */
};

/* Claims a slot for the calling thread, which has none, or for an object; NULL if there is no
 * memory for one. An object keeps its slot in forked children too. */
struct slot *slot_claim_for_thread(void);
struct slot *slot_claim_for_object(void);

/* Wipes the state and frees the slot. Allocates nothing. */
void slot_release(struct slot *slot);

/* If there was a fork since SLOT was last used: makes it this process's, locks pages again, and
 * frees the slots of threads that did not come along, if SLOT is the calling thread's and not an
 * object's. Cheap if there was none. To be called with the state taken out, before its key is
 * fetched. */
void slot_after_fork(struct slot *slot);

/* Calls VISIT for every state that is claimed. The threads that hold them may be drawing meanwhile.
 */
void slots_visit(void (*visit)(struct state *state));

#endif
