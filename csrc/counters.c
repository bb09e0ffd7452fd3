/* SPDX-License-Identifier: MIT */
#include "counters.h"

#include "process.h"
#include "states.h"

#include <pthread.h>

/* Where there is no page that a fork wipes, and until there is one: in ordinary memory, which a
 * forked child inherits. */
static struct counters inherited;

static void start_again(void)
{
	inherited = (struct counters){ 0 };
}

/* The best that can be done for them: raw clone(2) runs no handlers. */
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
	/* What was counted before the page was had; but not by a parent. */
	if (!page || process_mapped_page())
		add(sum, &inherited);
}
