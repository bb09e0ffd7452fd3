#define _GNU_SOURCE
#include "memory.h"

#include "kernel.h"
#include "environment.h"
#include "process.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* From the kernel's headers, which may be older than the kernel. */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static _Atomic enum memory_kind settled;
static _Atomic bool not_locked, not_hidden_from_dumps;

static void *map_droppable(size_t size)
{
	/* A mapping type of its own: EINVAL together with MAP_PRIVATE or MAP_SHARED. */
	int flags = kernel_mmap_flags();
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   flags ? flags : MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static void lock(void *pages, size_t size)
{
	/* ONFAULT: most of these pages will never be touched. */
	if (mlock2(pages, size, MLOCK_ONFAULT))
		not_locked = true;
}

static void *map_wipe_on_fork(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	if (madvise(pages, size, MADV_WIPEONFORK)) {
		munmap(pages, size);
		return NULL;
	}
	if (madvise(pages, size, MADV_DONTDUMP))
		not_hidden_from_dumps = true;
	lock(pages, size);
	return pages;
}

static void *map(enum memory_kind kind, size_t size)
{
	switch (kind) {
	case MEMORY_DROPPABLE:
		return map_droppable(size);
	case MEMORY_WIPE_ON_FORK:
		return map_wipe_on_fork(size);
	default:
		return NULL;
	}
}

/* Kernels and sandboxes without a kind answer EINVAL, EOPNOTSUPP, ENOTSUPP (524) or EPERM;
 * whatever the answer is, the next kind is tried. */
enum memory_kind memory_kind(void)
{
	enum memory_kind kind = settled, expected = MEMORY_UNKNOWN;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *probe = NULL;

	if (kind != MEMORY_UNKNOWN)
		return kind;
	/* Without the marker a forked child could not tell whose states are whose. */
	if (!process_has_marker())
		return MEMORY_NONE;
	/* Each value takes away one more of the better kinds. */
	kind = MEMORY_DROPPABLE + (enum memory_kind)env_restriction(ENV_MEMORY);
	for (; kind < MEMORY_NONE && !(probe = map(kind, page)); kind++)
		if (errno == ENOMEM)
			return MEMORY_NONE; /* for now: want of memory passes */
	if (probe)
		munmap(probe, page);
	/* Of racing threads one settles it. */
	if (!atomic_compare_exchange_strong(&settled, &expected, kind))
		kind = expected;
	return kind;
}

void *memory_map(size_t size)
{
	void *pages = map(memory_kind(), size);

	/* In a huge page one drop would wipe many threads' states. */
	if (pages)
		madvise(pages, size, MADV_NOHUGEPAGE);
	return pages;
}

void memory_unmap(void *pages, size_t size)
{
	munmap(pages, size);
}

void memory_after_fork(void *pages, size_t size)
{
	if (memory_kind() == MEMORY_WIPE_ON_FORK)
		lock(pages, size);
}

void memory_notes(struct notes *notes)
{
	unsigned int restriction = env_restriction(ENV_MEMORY);
	enum memory_kind kind = memory_kind();

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
		note(notes, "neither MAP_DROPPABLE nor MADV_WIPEONFORK memory was to be had: every "
			    "request is a getrandom(2) call");
}
