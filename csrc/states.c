/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "states.h"

#include "chacha20/chacha20.h"
#include "clock.h"
#include "memory.h"
#include "prepare.h"
#include "process.h"
#include "wipe.h"

#include <pthread.h>

THREAD_LOCAL struct thread this_thread;

/* The thread-exit hook. It must not allocate: the allocator's own hook for this thread may have run
 * already. */
static void exit_thread(void *slot)
{
	struct slot *mine = slot;

	this_thread.may_not_claim = true;
	this_thread.lacks = CLAIMING_OR_EXITING;
	this_thread.state = NULL;
	this_thread.slot = NULL;
	barrier();
	slot_release(mine);
}

/* Stored as one more than the key, so that zero means none yet. */
static _Atomic uint64_t exit_key;

/* Whether a draw may call pthread_key_create(3). glibc's takes keys by compare-and-swap. Other C
 * libraries (musl) take a lock, which may be held by the thread that a signal handler interrupted,
 * or by one that a raw clone() left behind: a draw would wait for ever. */
#ifdef __GLIBC__
#define DRAWS_MAKE_EXIT_KEY 1
#else
#define DRAWS_MAKE_EXIT_KEY 0
#endif

static bool make_exit_key(void)
{
	uint64_t none = 0;
	pthread_key_t key;

	if (exit_key)
		return true;
	if (pthread_key_create(&key, exit_thread))
		return false;
	if (!atomic_compare_exchange_strong(&exit_key, &none, (uint64_t)key + 1))
		pthread_key_delete(key);
	return true;
}

/* At load, because keys run out (PTHREAD_KEYS_MAX), and because glibc allocates in
 * pthread_setspecific() for keys beyond the first 32. If none is to be had, or a thread draws
 * before this, later draws try again (with glibc), and vgetrandom_prepare() does. */
__attribute__((constructor)) static void make_exit_key_at_load(void)
{
	make_exit_key();
}

static bool run_at_thread_exit(struct slot *slot)
{
	return pthread_setspecific((pthread_key_t)(exit_key - 1), slot) == 0;
}

/* PR_SET_TSC holds for one thread and its children. A thread that sets it after its first draw gets
 * SIGSEGV, as it does from libc's clock_gettime(3): to ask at every draw would be a system call. */
bool thread_needs_coarse_clock(void)
{
	if (this_thread.clock == CLOCK_NOT_ASKED)
		this_thread.clock = clock_counter_is_forbidden() ? CLOCK_COARSE : CLOCK_COUNTER;
	return this_thread.clock == CLOCK_COARSE;
}

/* Claims a slot for the calling thread, or returns what is lacking. */
static enum lack claim(struct slot **claimed, bool in_draw)
{
	bool usable = memory_usable();

	prepare_first_draw();
	if (!usable)
		return LACKS_MEMORY;
	if (in_draw && !DRAWS_MAKE_EXIT_KEY ? !exit_key : !make_exit_key())
		return LACKS_EXIT_HOOK;
	/* Now, because later draws from a state may make no system call but getrandom(2). */
	if (!chacha20_choose())
		return LACKS_MEMORY;
	struct slot *slot = slot_claim_for_thread();

	if (!slot)
		return LACKS_MEMORY;
	if (!run_at_thread_exit(slot)) {
		slot_release(slot);
		return LACKS_EXIT_HOOK;
	}
	/* For the same reason. */
	thread_needs_coarse_clock();
	*claimed = slot;
	return LACKS_NOTHING;
}

struct slot *state_claim_for_object(void)
{
	bool usable = memory_usable();

	/* Now, even if there will be no state: drawing words may make no system call but
	 * getrandom(2). */
	process_has_page();
	thread_needs_coarse_clock();
	prepare_first_draw();
	if (!usable || !chacha20_choose())
		return NULL;
	return slot_claim_for_object();
}

#define MAX_BACKOFF 65536

static void back_off(void)
{
	if (this_thread.backoff == 0)
		this_thread.backoff = 1;
	this_thread.backoff_left = this_thread.backoff - 1;
	if (this_thread.backoff < MAX_BACKOFF)
		this_thread.backoff *= 2;
}

static void try_to_claim(bool in_draw)
{
	if (this_thread.may_not_claim || memory_kind() == MEMORY_NONE)
		return;
	if (this_thread.backoff_left > 0) {
		this_thread.backoff_left--;
		return;
	}
	/* A signal handler that draws from here on must not claim a second slot. */
	this_thread.may_not_claim = true;
	this_thread.lacks = CLAIMING_OR_EXITING;
	barrier();
	struct slot *slot = this_thread.slot;
	/* A handler that drew just before may have claimed one for this thread. */
	enum lack lacks = slot ? LACKS_NOTHING : claim(&slot, in_draw);

	this_thread.slot = slot;
	barrier();
	this_thread.state = slot ? slot->state : NULL;
	if (lacks != LACKS_NOTHING)
		back_off();
	this_thread.lacks = (uint8_t)lacks;
	barrier();
	this_thread.may_not_claim = false;
}

void state_claim(void)
{
	try_to_claim(true);
}

void state_claim_now(void)
{
	if (this_thread.slot)
		return;
	this_thread.backoff_left = 0;
	try_to_claim(false);
}

void state_notes(struct notes *notes)
{
	if (memory_kind() == MEMORY_NONE)
		return;
	switch (this_thread.lacks) {
	case LACKS_MEMORY:
		note(notes, "there was no memory for this thread's state (see RLIMIT_AS and "
			    "RLIMIT_MEMLOCK): until another attempt succeeds, each of its requests "
			    "is a getrandom(2) call");
		break;
	case LACKS_EXIT_HOOK:
		note(notes,
		     "there was no pthread key left (a process has PTHREAD_KEYS_MAX of them), "
		     "or no memory for its value: until another attempt succeeds, each of "
		     "this thread's requests is a getrandom(2) call");
		break;
	case CLAIMING_OR_EXITING:
		note(notes, "this thread is ending, or in a signal handler in the middle of its "
			    "first draw: each of its requests is a getrandom(2) call");
		break;
	default:
		break;
	}
}
