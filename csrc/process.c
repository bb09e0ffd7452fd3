#define _GNU_SOURCE
#include "process.h"

#include "system_call.h"
#include "wipe_on_fork.h"

#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* Alone in a page that reads as zeros in a forked child. It is not droppable: a drop would look
 * like a fork. */
typedef _Atomic uint64_t marker_t;
static _Atomic(marker_t *) marker;

/* A marker on its way from zero to an epoch. */
#define STARTED 1

/* In ordinary memory, so that a child counts on from where its parent was. */
static _Atomic uint64_t last_epoch = STARTED;

/* Whether there was an attempt to have one. */
static _Atomic bool marker_tried;

static marker_t *find_marker(void)
{
	marker_t *page = marker, *expected = NULL;

	if (page)
		return page;
	marker_tried = true;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	page = wipe_on_fork_map(size);
	if (page && !atomic_compare_exchange_strong(&marker, &expected, page)) {
		system_munmap((const void *)page, size);
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
	/* Asked for at every draw of some threads, it does not try again what passes: that is for
	 * process_has_marker(), and so for those who know how often they try. */
	marker_t *page = marker_tried ? marker : find_marker();

	if (!page)
		return (uint64_t)system_getpid();
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
