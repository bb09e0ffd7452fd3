/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "wipe_on_fork.h"

#include "shortage.h"
#include "system_call.h"

#include <errno.h>
#include <stdatomic.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define NO_ADVICE (-1)

enum verdict { UNKNOWN, WORKS, REFUSED };
static _Atomic enum verdict verdict;

static void settle(enum verdict found)
{
	enum verdict expected = UNKNOWN;

	/* Only a sandbox that was entered later refuses what has worked before. It does not change
	 * the pages that there are, so the first verdict stays. */
	atomic_compare_exchange_strong(&verdict, &expected, found);
}

/* 0, or the errno that says why not. */
static int advise(void *pages, size_t size)
{
	/* qemu's user mode ignores advice that it does not know and reports success. If it accepts
	 * advice that does not exist, its yes to MADV_WIPEONFORK means nothing. */
	if (verdict == UNKNOWN && system_madvise(pages, size, NO_ADVICE) == 0)
		return EINVAL;
	return system_madvise(pages, size, MADV_WIPEONFORK) ? errno : 0;
}

void *wipe_on_fork_map(size_t size)
{
	if (wipe_on_fork_refused()) {
		errno = EINVAL;
		return NULL;
	}
	void *pages = system_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int error = pages ? advise(pages, size) : errno;

	if (error == 0) {
		settle(WORKS);
		return pages;
	}
	if (pages)
		system_munmap(pages, size);
	if (!is_shortage(error))
		settle(REFUSED);
	errno = error;
	return NULL;
}

bool wipe_on_fork_refused(void)
{
	return verdict == REFUSED;
}
