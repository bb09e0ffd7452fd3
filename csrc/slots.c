/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "slots.h"

#include "counters.h"
#include "memory.h"
#include "process.h"
#include "system_call.h"
#include "watch.h"
#include "wipe.h"

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

#define FOR_EACH_SLOT(slab, slot)                                \
	for (struct slab *slab = slabs; slab; slab = slab->next) \
		for (struct slot *slot = slab->slots; slot < slab->slots + SLOTS_PER_SLAB; slot++)

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- the table ---- */

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

/* Another thread may mark a state whose owner is ending (slots_visit()), so the mark is stored as
 * the atomic that it is. */
static void wipe_state(struct state *state)
{
	const size_t rest = offsetof(struct state, vm_generation);

	atomic_store_explicit(&state->generation, 0, memory_order_relaxed);
	wipe((uint8_t *)state + rest, sizeof(*state) - rest);
}

void slot_release(struct slot *slot)
{
	wipe_state(slot->state);
	release(slot);
}

void slots_visit(void (*visit)(struct state *state))
{
	FOR_EACH_SLOT(slab, slot)
	{
		if (slot->owner)
			visit(slot->state);
	}
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

/* An owner of another epoch proves that this thread came through a fork. A loop, because a signal
 * handler may fork meanwhile. */
static void thread_after_fork(struct slot *mine)
{
	uint64_t epoch;

	while (mine->owner != (epoch = process_epoch())) {
		reclaim(mine);
		reclaimed_in = epoch;
		mine->owner = epoch;
		watch_probe_pages(epoch);
	}
}

void slot_after_fork(struct slot *slot)
{
	if (slot->owner & EPOCH_BIT)
		thread_after_fork(slot);
	else
		object_after_fork(slot);
}

/* ---- claiming ---- */

/* Where neither this process nor a parent has had slots before, there is nothing to reclaim. */
static void note_first_claim(uint64_t epoch)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&reclaimed_in, &none, epoch);
}

/* If this is a child in which nobody has reclaimed slots yet, a free slot's page is not locked:
 * locks are not inherited. */
static struct slot *claim_under(uint64_t epoch, uint64_t owner)
{
	watch_probe_pages(epoch);
	struct slot *slot = claim_free(owner);

	if (!slot)
		return claim_new(owner);
	if (reclaimed_in != epoch)
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

struct slot *slot_claim_for_thread(void)
{
	note_first_claim(process_epoch());
	uint64_t epoch = settle_after_fork_without_slot();

	return claim_under(epoch, epoch);
}

struct slot *slot_claim_for_object(void)
{
	uint64_t epoch = process_epoch();

	note_first_claim(epoch);
	return claim_under(epoch, object_of(epoch));
}
