/* SPDX-License-Identifier: MIT */
/* Threads draw while another one keeps dropping their states.
 *
 *     drop_draws ROUNDS pageout|dontneed
 */
#define _GNU_SOURCE
#include "draws.h"
#include "states_mapping.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define DRAWERS 3
#define MOST 20

static const size_t sizes[] = { 16, 32, 48, 256, 272, 3008, 3040, 4096, 16, 16, 70000 / 16 * 16 };

static int rounds, advice;
static atomic_int drawing;
static atomic_long drops;
static pthread_barrier_t all_have_states;

static bool nothing_wiped(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	return stats.reseeds_wiped == 0;
}

static void *draws(void *arg)
{
	(void)arg;
	draw(16);
	pthread_barrier_wait(&all_have_states);
	/* Go on where a busy machine has not dropped anything by then, or a page resists. */
	for (int i = 0; i < rounds || (nothing_wiped() && i < MOST * rounds); i++) {
		if (i >= rounds)
			sched_yield();
		/* Mostly small ones: a large one would fill the records. */
		draw(sizes[i % 50 ? i % 5 : i / 50 % 11]);
	}
	drawing--;
	return NULL;
}

int main(int argc, char **argv)
{
	struct mapping mappings[16];
	pthread_t threads[DRAWERS];

	if (argc != 3)
		return 2;
	rounds = atoi(argv[1]);
	advice = strcmp(argv[2], "pageout") ? MADV_DONTNEED : MADV_PAGEOUT;
	records_start((size_t)DRAWERS * (size_t)rounds * 20 * MOST + 100000);
	pthread_barrier_init(&all_have_states, NULL, DRAWERS + 1);
	drawing = DRAWERS;
	for (int i = 0; i < DRAWERS; i++)
		pthread_create(&threads[i], NULL, draws, NULL);
	pthread_barrier_wait(&all_have_states);

	int count = states_mappings(mappings, 16);

	while (drawing) {
		for (int i = 0; i < count; i++)
			drops += drop(&mappings[i], advice) == 0;
	}
	for (int i = 0; i < DRAWERS; i++)
		pthread_join(threads[i], NULL);
	printf("mappings=%d\ndrops=%ld\n", count, drops);
	print_stats();
	records_check();
	return 0;
}
