/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "memory.h"

#include "kernel.h"
#include "environment.h"
#include "process.h"
#include "shortage.h"
#include "system_call.h"
#include "wipe_on_fork.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* The kernel's headers may be older than the kernel. */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* MEMORY_UNKNOWN until something has been mapped or everything has been refused for good. A
 * shortage settles nothing: one thread that finds no memory today must not take it from all others
 * for ever.
 */
static _Atomic enum memory_kind settled;
static _Atomic bool not_locked, not_hidden_from_dumps;

/* Refused for good: not to be asked for again with every mapping. */
static _Atomic bool lock_refused, hiding_refused, small_pages_refused;

static bool granted(int result, _Atomic bool *refused)
{
	if (result == 0)
		return true;
	if (!is_shortage(errno))
		*refused = true;
	return false;
}

static bool advise(void *pages, size_t size, int advice, _Atomic bool *refused)
{
	return !*refused && granted(system_madvise(pages, size, advice), refused);
}

static void *map_droppable(size_t size)
{
	/* MAP_DROPPABLE is a mapping type: with MAP_PRIVATE or MAP_SHARED it is EINVAL. The vDSO
	 * knows the right flags, if there is one. */
	int flags = kernel_mmap_flags();

	return system_mmap(size, PROT_READ | PROT_WRITE,
			   flags ? flags : MAP_DROPPABLE | MAP_ANONYMOUS, -1);
}

static void lock(void *pages, size_t size)
{
	/* ONFAULT: most of the pages may never be touched and need no memory. */
	if (lock_refused || !granted(system_mlock2(pages, size, MLOCK_ONFAULT), &lock_refused))
		not_locked = true;
}

static void *map_wipe_on_fork(size_t size)
{
	void *pages = wipe_on_fork_map(size);

	if (!pages)
		return NULL;
	if (!advise(pages, size, MADV_DONTDUMP, &hiding_refused))
		not_hidden_from_dumps = true;
	lock(pages, size);
	return pages;
}

static void *map(enum memory_kind kind, size_t size)
{
	return kind == MEMORY_DROPPABLE ? map_droppable(size) : map_wipe_on_fork(size);
}

/* Returns the kind that is settled: of racing threads one decides. */
static enum memory_kind settle(enum memory_kind kind)
{
	enum memory_kind expected = MEMORY_UNKNOWN;

	return atomic_compare_exchange_strong(&settled, &expected, kind) ? kind : expected;
}

enum memory_kind memory_kind(void)
{
	return settled;
}

/* The values of the variable are ordered: each takes away one more kind. */
static enum memory_kind best_allowed(void)
{
	return MEMORY_DROPPABLE + (enum memory_kind)env_restriction(ENV_MEMORY);
}

bool memory_usable(void)
{
	if (settled == MEMORY_UNKNOWN && best_allowed() == MEMORY_NONE)
		settle(MEMORY_NONE);
	if (settled == MEMORY_NONE)
		return false;
	/* Without the page a forked child could not tell which slots are its own. */
	if (process_has_page())
		return true;
	if (wipe_on_fork_refused())
		settle(MEMORY_NONE);
	return false;
}

/* A kernel or sandbox that does not have a kind answers EINVAL, EOPNOTSUPP, ENOTSUPP (524) or
 * EPERM. The next kind is tried after any error that is not a shortage. */
void *memory_map(size_t size)
{
	enum memory_kind kind = settled;
	void *pages = NULL;

	if (kind == MEMORY_UNKNOWN)
		kind = best_allowed();
	for (; kind < MEMORY_NONE && !(pages = map(kind, size)); kind++)
		/* A sandbox that was entered later does not change the kind: the states that
		 * there are go on working, and info() names one kind for all. */
		if (is_shortage(errno) || settled != MEMORY_UNKNOWN)
			return NULL;
	if (settle(kind) != kind && pages) {
		system_munmap(pages, size);
		return NULL;
	}
	/* If states shared a huge page, one drop would wipe them all. */
	if (pages)
		advise(pages, size, MADV_NOHUGEPAGE, &small_pages_refused);
	return pages;
}

void memory_unmap(void *pages, size_t size)
{
	system_munmap(pages, size);
}

void memory_after_fork(void *pages, size_t size)
{
	if (settled == MEMORY_WIPE_ON_FORK)
		lock(pages, size);
}

void memory_notes(struct notes *notes)
{
	unsigned int restriction = env_restriction(ENV_MEMORY);
	enum memory_kind kind = settled;

	if (env_is_unknown(ENV_MEMORY))
		note(notes,
		     "VGETRANDOM_MEMORY has a value that is not known (wipe-on-fork and none "
		     "are): ignored");
	if (kind == MEMORY_WIPE_ON_FORK && !restriction)
		note(notes,
		     "MAP_DROPPABLE was refused (it needs Linux 6.11, and a sandbox may forbid "
		     "it): states live in MADV_WIPEONFORK memory");
	if (kind == MEMORY_WIPE_ON_FORK && restriction == ENV_MEMORY_WIPE_ON_FORK)
		note(notes, "VGETRANDOM_MEMORY=wipe-on-fork: MAP_DROPPABLE is not used");
	if (kind == MEMORY_WIPE_ON_FORK && not_locked)
		note(notes, "mlock was refused (see RLIMIT_MEMLOCK): the unserved batch can be "
			    "written to swap");
	if (kind == MEMORY_WIPE_ON_FORK && not_hidden_from_dumps)
		note(notes, "MADV_DONTDUMP was refused: the unserved batch can be in a core dump");
	if (kind == MEMORY_NONE && restriction == ENV_MEMORY_NONE)
		note(notes, "VGETRANDOM_MEMORY=none: every request is a getrandom(2) call");
	if (kind == MEMORY_NONE && restriction != ENV_MEMORY_NONE)
		note(notes, "neither MAP_DROPPABLE nor MADV_WIPEONFORK memory is available: every "
			    "request is a getrandom(2) call");
}
