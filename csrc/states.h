/* SPDX-License-Identifier: MIT */
/* Who holds which state: one per thread, in pages that are reused when a thread ends. */
#ifndef VGETRANDOM_STATES_H
#define VGETRANDOM_STATES_H

#include "hidden.h"
#include "notes.h"
#include "state.h"
#include "wipe.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Owners are 64-bit words that change by compare-and-swap, in signal handlers too. Where that is a
 * function of the compiler's library which takes a lock (32-bit MIPS), a handler could wait for the
 * thread that it interrupted. */
#if ATOMIC_LLONG_LOCK_FREE != 2
#error "vgetrandom needs 64-bit atomic operations without locks; this architecture has none"
#endif

/* A state's entry in the books, in ordinary memory: what must survive the page's wiping. */
struct slot {
	/* 0: free; a thread's: the epoch it was claimed in; an object's: the same without its
	 * highest bit. */
	_Alignas(128) _Atomic uint64_t owner;
	struct state *state;
	bool keyed;       /* has had a key since it was claimed */
	uint8_t counters; /* which counters are its own (counters.h) */
};

/* Why a thread has no state. */
enum lack {
	LACKS_NOTHING, /* it has one, or has never tried */
	LACKS_MEMORY,
	LACKS_EXIT_HOOK, /* no pthread key is left, or none of its thread-specific data */
	LACKS_TIME,      /* it is ending, or just claiming one */
};

/* Which clock it takes nonces from (clock.h). */
enum thread_clock { CLOCK_NOT_ASKED, CLOCK_COUNTER, CLOCK_COARSE };

/* A thread's own record, outside the droppable page. */
struct thread {
	struct state *state; /* NULL while a draw has it out, and before the first draw */
	struct slot *slot;   /* NULL before the first draw */
	bool closed;         /* has no state and takes none: claiming its slot, or exiting */
	uint8_t lacks;       /* enum lack */
	uint32_t pause;      /* draws between its last attempt to claim one and the next */
	uint32_t paused;     /* how many of them are left */
	uint8_t clock;       /* enum thread_clock */
};

/* initial-exec: an access may neither allocate nor take a lock, because a signal handler makes
 * it too. glibc keeps room for such variables in libraries that are loaded late; musl does not. */
#ifdef __GLIBC__
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL _Thread_local
#endif

extern THREAD_LOCAL struct thread this_thread HIDDEN;

/* Gives the calling thread a state of its own, if it can have one. What was missing at the last
 * attempt is asked for again after 1, 2, 4 and so on draws, at most 65,536: a draw that tries costs
 * three times one that does not. */
void state_claim(void);

/* As state_claim(), but tries now. */
void state_claim_now(void);

/* Why the calling thread has no state, unless memory_notes() has said it of all. */
void state_notes(struct notes *notes);

/* Whether the calling thread may not read the CPU's counter: asked when it gets its state, or,
 * where it has none, when it first computes for an object. */
bool thread_needs_coarse_clock(void);

/* Takes the calling thread's state out, claiming one at the first draw. NULL where it is out
 * already (this is a signal handler that interrupted a draw) or cannot be had: then the kernel
 * serves the request. */
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

/* Settles, after a fork, what became of the other threads' states, if SLOT is a thread's; an
 * object's is still that object's. Cheap where there was none. To be called with the state out,
 * before its key is fetched. */
void states_after_fork(struct slot *slot);

/* Gives an object that is no thread a state, or NULL where none can be had: for as long as it
 * exists, in this process and in those forked from it. Who uses it sees to it that nobody else does
 * at the same time. */
struct slot *state_claim_for_object(void);
void state_give_back(struct slot *slot);

/* Runs VISIT on every state that a thread holds, while those threads may be drawing. */
void states_visit(void (*visit)(struct state *state));

#endif
