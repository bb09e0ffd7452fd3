/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include "process.h"
#include "states.h"

#include <pthread.h>

/* Used while there is no page that forks zero. In ordinary memory, so a forked child inherits them.
 */
static struct counters inherited;

static void start_again(void)
{
	inherited = (struct counters){ 0 };
}

/* The best that can be done for these: raw clone(2) does not run such handlers. */
__attribute__((constructor)) static void start_again_in_children(void)
{
	pthread_atfork(NULL, NULL, start_again);
}

struct counters *counters(void)
{
	struct process_page *page = process_page();

	if (!page)
		return &inherited;
	return &page->counters[this_thread.slot ? this_thread.slot->counters : 0];
}

static void add(struct counters *sum, const struct counters *counters)
{
	sum->refills += counters->refills;
	sum->syscalls += counters->syscalls;
	sum->fallbacks += counters->fallbacks;
	for (int i = 0; i < RESEED_REASONS; i++)
		sum->reseeds[i] += counters->reseeds[i];
}

void counters_sum(struct counters *sum)
{
	const struct process_page *page = process_page();

	*sum = (struct counters){ 0 };
	for (int i = 0; page && i < COUNTERS; i++)
		add(sum, &page->counters[i]);
	/* What was counted before there was a page, unless that was in a parent. */
	if (!page || process_mapped_page())
		add(sum, &inherited);
}
