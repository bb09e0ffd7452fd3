/* SPDX-License-Identifier: MIT */
/* Files and descriptors are for the first draw of a process, vgetrandom_prepare() and
 * vgetrandom_get_info() alone: whoever draws on in a sandbox must not die of an open().
 * docs/sandboxes.md has the system calls of each.
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

/* Inherited by children. Not set before it is true: a child that is forked in between, and draws
 * that begin meanwhile, do it themselves. */
static _Atomic bool searched;

static void search_files(void)
{
	/* Who keeps no state has nothing to watch. */
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
