/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "states.h"

#include "chacha20/chacha20.h"
#include "clock.h"
#include "counters.h"
#include "memory.h"
#include "prepare.h"
#include "process.h"
#include "system_call.h"
#include "watch.h"
#include "wipe.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

/* With pages of 4 KiB, a slab and the pool of additional.c can be locked under the smallest common
 * RLIMIT_MEMLOCK, 64 KiB. */
#define SLOTS_PER_SLAB 15

/* There is no lock here: a forked child could find it held for ever by a thread that it does not
 * have, and a signal handler could wait for the thread that it interrupted. So slabs are added and
 * never removed, and slots change owners by compare-and-swap. */
struct slab {
	struct slab *next;
	struct slot slots[SLOTS_PER_SLAB];
};

static _Atomic(struct slab *) slabs;

static _Atomic unsigned int slots_made; /* spreads the slots over the counters */

THREAD_LOCAL struct thread this_thread;

#define FOR_EACH_SLOT(slab, slot)                                \
	for (struct slab *slab = slabs; slab; slab = slab->next) \
		for (struct slot *slot = slab->slots; slot < slab->slots + SLOTS_PER_SLAB; slot++)

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- claiming and releasing ---- */

static struct slot *claim_free(uint64_t claimant)
{
	FOR_EACH_SLOT(slab, slot)
	{
		uint64_t owner = 0;

		if (atomic_load_explicit(&slot->owner, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&slot->owner, &owner, claimant))
			return slot;
	}
	return NULL;
}

/* Adds a slab, with its first slot claimed. If another thread has added one meanwhile, takes a slot
 * of that: threads that start at the same time must not add a slab each. */
static struct slot *claim_new(uint64_t claimant)
{
	size_t page = page_size();
	unsigned char *pages = memory_map(SLOTS_PER_SLAB * page);

	if (!pages)
		return NULL;
	struct slab *slab =
		system_mmap(sizeof(*slab), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (!slab) {
		memory_unmap(pages, SLOTS_PER_SLAB * page);
		return NULL;
	}
	for (size_t i = 0; i < SLOTS_PER_SLAB; i++) {
		slab->slots[i].state = (struct state *)(void *)(pages + i * page);
		slab->slots[i].counters = (uint8_t)(1 + slots_made++ % (COUNTERS - 1));
	}
	slab->slots[0].owner = claimant;
	slab->next = slabs;
	do {
		struct slot *slot = claim_free(claimant);

		if (slot) {
			memory_unmap(pages, SLOTS_PER_SLAB * page);
			system_munmap(slab, sizeof(*slab));
			return slot;
		}
	} while (!atomic_compare_exchange_strong(&slabs, &slab->next, slab));
	return &slab->slots[0];
}

static void release(struct slot *slot)
{
	slot->keyed = false;
	atomic_store_explicit(&slot->owner, 0, memory_order_release);
}

/* Another thread may mark a state whose owner is ending (states_visit()), so the mark is stored as
 * the atomic that it is. */
static void wipe_state(struct state *state)
{
	const size_t rest = offsetof(struct state, vm_generation);

	atomic_store_explicit(&state->generation, 0, memory_order_relaxed);
	wipe((uint8_t *)state + rest, sizeof(*state) - rest);
}

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
	wipe_state(mine->state);
	release(mine);
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

/* ---- fork ---- */

/* The epoch of the last process that has reclaimed slots, or had none to reclaim. */
static _Atomic uint64_t reclaimed_in;

/* Frees the slots of the parent's threads, which this process does not have. Only the thread that
 * came through the fork may call it, since no other thread of that age can exist; if a slot were
 * freed that is in use, two threads would share a state and draw the same bytes (glibc 2.41 nearly
 * had this fault). */
static void reclaim(const struct slot *mine)
{
	FOR_EACH_SLOT(slab, slot)
	{
		uint64_t owner = slot->owner;

		if (slot == slab->slots)
			memory_after_fork(slot->state, SLOTS_PER_SLAB * page_size());
		/* The epoch is read for each slot, after its owner: a signal handler may have
		 * forked in the middle of this loop and have started threads in the child, whose
		 * slots have the child's epoch. */
		if (slot != mine && (owner & EPOCH_BIT) && owner != process_epoch())
			release(slot);
	}
}

static uint64_t object_of(uint64_t epoch)
{
	uint64_t object = epoch & ~EPOCH_BIT;

	return object ? object : 1;
}

static void object_after_fork(struct slot *slot)
{
	uint64_t epoch = process_epoch();

	if (slot->owner == object_of(epoch))
		return;
	memory_after_fork(slot->state, page_size());
	slot->owner = object_of(epoch);
	watch_probe_pages(epoch);
}

void states_after_fork(struct slot *slot)
{
	struct slot *mine = this_thread.slot;
	uint64_t epoch;

	if (slot != mine) {
		object_after_fork(slot);
		return;
	}
	/* An owner of another epoch proves that this thread came through a fork. A loop, because a
	 * signal handler may fork meanwhile. */
	while (mine->owner != (epoch = process_epoch())) {
		reclaim(mine);
		reclaimed_in = epoch;
		mine->owner = epoch;
		watch_probe_pages(epoch);
	}
}

/* Where neither this process nor a parent has had slots before, there is nothing to reclaim. */
static void note_first_claim(uint64_t epoch)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&reclaimed_in, &none, epoch);
}

/* A free slot. If this is a child in which nobody has reclaimed slots yet, its page is not locked:
 * locks are not inherited. */
static struct slot *claim_old(uint64_t epoch, uint64_t owner)
{
	struct slot *slot = claim_free(owner);

	if (slot && reclaimed_in != epoch)
		memory_after_fork(slot->state, page_size());
	return slot;
}

/* A thread without a slot knows that it came through a fork by being the main thread. Returns the
 * epoch that was settled. The caller must claim under this one: if a handler forks right after
 * this, a slot claimed under the child's epoch would hide that the child has not been settled. */
static uint64_t settle_after_fork_without_slot(void)
{
	uint64_t epoch;

	while (reclaimed_in != (epoch = process_epoch()) && system_gettid() == system_getpid()) {
		reclaim(NULL);
		reclaimed_in = epoch;
	}
	return epoch;
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
	note_first_claim(process_epoch());
	uint64_t epoch = settle_after_fork_without_slot();

	watch_probe_pages(epoch);
	struct slot *slot = claim_old(epoch, epoch);

	if (!slot)
		slot = claim_new(epoch);
	if (!slot)
		return LACKS_MEMORY;
	if (!run_at_thread_exit(slot)) {
		release(slot);
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
	uint64_t epoch = process_epoch();

	note_first_claim(epoch);
	watch_probe_pages(epoch);
	struct slot *slot = claim_old(epoch, object_of(epoch));

	return slot ? slot : claim_new(object_of(epoch));
}

void state_release(struct slot *slot)
{
	wipe_state(slot->state);
	release(slot);
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

void states_visit(void (*visit)(struct state *state))
{
	FOR_EACH_SLOT(slab, slot)
	{
		if (slot->owner)
			visit(slot->state);
	}
}
