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

/* As many states as fit, with 4 KiB pages, under the smallest RLIMIT_MEMLOCK that is common. */
#define SLOTS_PER_SLAB 15

/* Nothing here takes a lock: a fork could leave it held for ever, a signal handler could wait for
 * the thread it interrupted. Slabs are only ever added, slots change hands by compare-and-swap. */
struct slab {
	struct slab *next;
	struct slot slots[SLOTS_PER_SLAB];
};

static _Atomic(struct slab *) slabs;

/* The slots that there have been. */
static _Atomic unsigned int numbered;

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

/* A new slab whose first slot is claimed already, or a slot of one that others added meanwhile:
 * threads that begin at the same time should not each add one. */
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
		slab->slots[i].counters = (uint8_t)(1 + numbered++ % (COUNTERS - 1));
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

static void give_back(struct slot *slot)
{
	slot->keyed = false;
	atomic_store_explicit(&slot->owner, 0, memory_order_release);
}

/* The thread-exit hook. It allocates nothing and calls nothing that could. */
static void exit_thread(void *slot)
{
	struct slot *mine = slot;

	this_thread.closed = true;
	this_thread.lacks = LACKS_TIME;
	this_thread.state = NULL;
	this_thread.slot = NULL;
	barrier();
	wipe(mine->state, sizeof(*mine->state));
	give_back(mine);
}

/* Stored as one more than the key, so that zero means none yet. */
static _Atomic uint64_t exit_key;

/* glibc takes keys by compare-and-swap. Elsewhere (musl) a lock is taken, which the thread that a
 * handler interrupted may hold, or one that a raw clone() left behind: no draw asks for a key. */
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

/* So early that there is a key to be had, and one of the first 32, for which glibc allocates
 * nothing. Where there is none, or a draw is made before this, draws try again (glibc), and
 * vgetrandom_prepare() does. */
__attribute__((constructor)) static void make_exit_key_at_load(void)
{
	make_exit_key();
}

static bool run_at_thread_exit(struct slot *slot)
{
	return pthread_setspecific((pthread_key_t)(exit_key - 1), slot) == 0;
}

/* ---- fork ---- */

/* The epoch of the process whose slots are known to have nobody's from before a fork. */
static _Atomic uint64_t reclaimed_in;

/* Frees what the threads held that this process was forked without. Only the one thread that came
 * through the fork may call it: it alone knows that every other of that age is gone, and two
 * threads with one state would be the end of the generator (glibc 2.41 nearly had it). */
static void reclaim(const struct slot *mine)
{
	FOR_EACH_SLOT(slab, slot)
	{
		uint64_t owner = slot->owner;

		if (slot == slab->slots)
			memory_after_fork(slot->state, SLOTS_PER_SLAB * page_size());
		/* The epoch of now, asked for after the owner: a signal handler may have forked
		 * in the middle of all this and begun threads in the child, whose slots are of its
		 * epoch. The kernel has wiped the page. */
		if (slot != mine && (owner & EPOCH) && owner != process_epoch())
			give_back(slot);
	}
}

static uint64_t object_of(uint64_t epoch)
{
	uint64_t object = epoch & ~EPOCH;

	return object ? object : 1;
}

/* The object came through the fork with the memory. */
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
	/* A slot from before the fork is what proves that this thread came through it. Again, if a
	 * handler forked meanwhile. */
	while (mine->owner != (epoch = process_epoch())) {
		reclaim(mine);
		reclaimed_in = epoch;
		mine->owner = epoch;
		watch_probe_pages(epoch);
	}
}

/* No process that this one comes from had states before: no fork is to be settled. */
static void note_first_claim(uint64_t epoch)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&reclaimed_in, &none, epoch);
}

/* A free slot; in a child that nobody has settled yet, its page is locked again. */
static struct slot *claim_old(uint64_t epoch, uint64_t owner)
{
	struct slot *slot = claim_free(owner);

	if (slot && reclaimed_in != epoch)
		memory_after_fork(slot->state, page_size());
	return slot;
}

/* Without a slot, the thread that came through a fork is known by being the main one. Returns the
 * epoch of the process that this was settled for: a slot claimed under a later one would look as if
 * it had been settled for that. */
static uint64_t settle_after_fork_without_slot(void)
{
	uint64_t epoch;

	while (reclaimed_in != (epoch = process_epoch()) && system_gettid() == system_getpid()) {
		reclaim(NULL);
		reclaimed_in = epoch;
	}
	return epoch;
}

/* Each thread may have forbidden itself the counter. One that does so later gets SIGSEGV, as it
 * does from libc's clock_gettime(3). Children inherit it. */
bool thread_needs_coarse_clock(void)
{
	if (this_thread.clock == CLOCK_NOT_ASKED)
		this_thread.clock = clock_counter_is_forbidden() ? CLOCK_COARSE : CLOCK_COUNTER;
	return this_thread.clock == CLOCK_COARSE;
}

/* Leaves the thread with a slot or says what it lacks. */
static enum lack claim(struct slot **claimed, bool in_draw)
{
	bool usable = memory_usable();

	prepare_first_draw();
	if (!usable)
		return LACKS_MEMORY;
	if (in_draw && !DRAWS_MAKE_EXIT_KEY ? !exit_key : !make_exit_key())
		return LACKS_EXIT_HOOK;
	/* Now, because a state's later draws may make no system call but getrandom(2). */
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
		give_back(slot);
		return LACKS_EXIT_HOOK;
	}
	/* Now, because later draws may make no system call but getrandom(2). */
	thread_needs_coarse_clock();
	*claimed = slot;
	return LACKS_NOTHING;
}

struct slot *state_claim_for_object(void)
{
	bool usable = memory_usable();

	/* Now, where no state is kept too: words may make no system call but getrandom(2). */
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

void state_give_back(struct slot *slot)
{
	wipe(slot->state, sizeof(*slot->state));
	give_back(slot);
}

#define LONGEST_PAUSE 65536

static void pause_claiming(void)
{
	if (this_thread.pause == 0)
		this_thread.pause = 1;
	this_thread.paused = this_thread.pause - 1;
	if (this_thread.pause < LONGEST_PAUSE)
		this_thread.pause *= 2;
}

static void try_to_claim(bool in_draw)
{
	if (this_thread.closed || memory_kind() == MEMORY_NONE)
		return;
	if (this_thread.paused > 0) {
		this_thread.paused--;
		return;
	}
	/* From here on a signal handler that draws leaves the claiming to us. */
	this_thread.closed = true;
	this_thread.lacks = LACKS_TIME;
	barrier();
	struct slot *slot = this_thread.slot;
	/* One that drew a moment ago may have done it. */
	enum lack lacks = slot ? LACKS_NOTHING : claim(&slot, in_draw);

	this_thread.slot = slot;
	barrier();
	this_thread.state = slot ? slot->state : NULL;
	if (lacks != LACKS_NOTHING)
		pause_claiming();
	this_thread.lacks = (uint8_t)lacks;
	barrier();
	this_thread.closed = false;
}

void state_claim(void)
{
	try_to_claim(true);
}

void state_claim_now(void)
{
	if (this_thread.slot)
		return;
	this_thread.paused = 0;
	try_to_claim(false);
}

void state_notes(struct notes *notes)
{
	if (memory_kind() == MEMORY_NONE)
		return;
	switch (this_thread.lacks) {
	case LACKS_MEMORY:
		note(notes, "no memory was to be had for this thread's state (see RLIMIT_AS and "
			    "RLIMIT_MEMLOCK): until another attempt succeeds, each of its requests "
			    "is a getrandom(2) call");
		break;
	case LACKS_EXIT_HOOK:
		note(notes,
		     "no pthread key was to be had (a process has PTHREAD_KEYS_MAX of them), "
		     "or no memory for its value: until another attempt succeeds, each of "
		     "this thread's requests is a getrandom(2) call");
		break;
	case LACKS_TIME:
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
