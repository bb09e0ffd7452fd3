#define _GNU_SOURCE
#include "process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define NO_ADVICE (-1)

/* Alone in a page that reads as zeros in a forked child. It is not droppable: a drop would look
 * like a fork. */
typedef _Atomic uint64_t marker_t;
static _Atomic(marker_t *) marker;

/* A marker on its way from zero to an epoch. */
#define STARTED 1

/* In ordinary memory, so that a child counts on from where its parent was. */
static _Atomic uint64_t last_epoch = STARTED;

static marker_t *find_marker(void)
{
	marker_t *page = marker, *expected = NULL;

	if (page)
		return page;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((void *)page == MAP_FAILED)
		return NULL;
	/* qemu's user mode, and what else ignores advice that it does not know, says yes to
	 * everything, to what cannot be as well. */
	if (madvise((void *)page, size, NO_ADVICE) == 0 ||
	    madvise((void *)page, size, MADV_WIPEONFORK)) {
		munmap((void *)page, size);
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&marker, &expected, page)) {
		munmap((void *)page, size);
		page = expected;
	}
	return page;
}

bool process_has_marker(void)
{
	return find_marker() != NULL;
}

uint64_t process_epoch(void)
{
	marker_t *page = find_marker();

	if (!page)
		return (uint64_t)getpid();
	for (;;) {
		uint64_t epoch = *page, started = STARTED;

		if (epoch > STARTED)
			return epoch;
		/* Two steps, so that a fork between them is noticed too: the child's store fails,
		 * its page being zero again, and it counts on. Threads may race through here. */
		if (epoch == 0 && !atomic_compare_exchange_strong(page, &epoch, STARTED))
			continue;
		uint64_t next = ++last_epoch;

		if (atomic_compare_exchange_strong(page, &started, next))
			return next;
	}
}
