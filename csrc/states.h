/* SPDX-License-Identifier: MIT */
/* The calling thread's state: when it claims a slot (slots.h), takes the state out for a draw, and
 * gives both back. */
#ifndef VGETRANDOM_STATES_H
#define VGETRANDOM_STATES_H

#include "hidden.h"
#include "notes.h"
#include "slots.h"
#include "state.h"
#include "wipe.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Why a thread has no state. */
enum lack {
	LACKS_NOTHING, /* it has one, or has not tried to claim one */
	LACKS_MEMORY,
	LACKS_EXIT_HOOK,     /* no pthread key is left, or no memory for its value */
	CLAIMING_OR_EXITING, /* it is claiming one at this moment, or ending */
};

/* Which clock a thread takes nonces from (clock.h). */
enum thread_clock { CLOCK_NOT_ASKED, CLOCK_COUNTER, CLOCK_COARSE };

/* A thread's record. It must not be in the droppable page: a drop in the middle of a draw would
 * make the state look unused, and a signal handler would draw the same bytes from it. */
struct thread {
	struct state *state;   /* NULL while a draw has it out, and before the first draw */
	struct slot *slot;     /* NULL before the first draw */
	bool may_not_claim;    /* it is claiming a slot at this moment, or ending */
	uint8_t lacks;         /* enum lack: why it has no state */
	uint32_t backoff;      /* draws from the last failed attempt to claim a slot to the next */
	uint32_t backoff_left; /* how many of these are left */
	uint8_t clock;         /* enum thread_clock */
};

/* initial-exec, because signal handlers access it too, and other models may allocate or take a lock
 * at a thread's first access. glibc reserves room for such variables of libraries that are loaded
 * by dlopen(3); musl does not. */
#ifdef __GLIBC__
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL _Thread_local
#endif

extern THREAD_LOCAL struct thread this_thread HIDDEN;

/* Gives the calling thread a state, if one can be had. After a failed attempt it does nothing for
 * 1, 2, 4 and so on up to 65,536 draws, because an attempt makes a draw take three times as long.
 */
void state_claim(void);

/* As state_claim(), without waiting for the next attempt. */
void state_claim_now(void);

/* Why the calling thread has no state; nothing if the reason holds for all threads, which
 * memory_notes() tells. */
void state_notes(struct notes *notes);

/* Whether the calling thread may not read the CPU's counter. The kernel is asked once per thread:
 * when it claims its state or, if it has none, when it first draws from an object's. */
bool thread_needs_coarse_clock(void);

/* Takes the calling thread's state out of its record, after claiming one if this is its first draw.
 * NULL if there is none, or if it is out already because this is a signal handler that interrupted
 * a draw: then the kernel must serve the request. */
static inline struct state *state_check_out(void)
{
	if (!this_thread.state && !this_thread.slot)
		state_claim();
	struct state *state = this_thread.state;

	this_thread.state = NULL;
	barrier();
	return state;
}

static inline void state_check_in(struct state *state)
{
	barrier();
	this_thread.state = state;
}

/* Claims a state for an object instead of a thread; NULL if none can be had. The object keeps it
 * until slot_release(), in forked children too. Its user must see to it that only one thread at a
 * time draws from it. */
struct slot *state_claim_for_object(void);

#endif
