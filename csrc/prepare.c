/* SPDX-License-Identifier: MIT */
/* Only the first draw of a process, vgetrandom_prepare() and vgetrandom_get_info() may open files.
 * A process that enters a sandbox later and goes on drawing must not be killed for an open().
 * docs/sandboxes.md lists the system calls of each.
 */
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "additional.h"
#include "chacha20/chacha20.h"
#include "clones.h"
#include "memory.h"
#include "prepare.h"
#include "process.h"
#include "refill.h"
#include "states.h"
#include "watch.h"
#include "wipe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Children inherit it. It is set only afterwards: a child that is forked during the search, and
 * other threads that draw meanwhile, search themselves. */
static _Atomic bool searched;

static void search_files(void)
{
	/* Without states there is nothing to watch for. */
	if (memory_kind() == MEMORY_NONE)
		return;
	watch_search_files();
	searched = true;
}

void prepare_first_draw(void)
{
	if (!searched)
		search_files();
}

int prepare(void)
{
	unsigned char drawn[1];

	process_has_page();
	chacha20_choose();
	state_claim_now();
	search_files();
	clones_look();
	look_for_generation();

	ssize_t got = vgetrandom(drawn, sizeof(drawn), 0);

	wipe(drawn, sizeof(drawn));
	return got == sizeof(drawn) ? 0 : -1;
}

int vgetrandom_prepare(void)
{
	int saved_errno = errno;

	additional_prepare();
	if (prepare())
		return -1;
	errno = saved_errno;
	return 0;
}
