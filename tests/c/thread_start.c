/* SPDX-License-Identifier: MIT */
/* Threads make their first draws at the same time, in waves, and all of them stay.
 *
 *     thread_start WAVES
 *
 * Prints how many threads there were, this one included, and how much memory their states take.
 */
#define _GNU_SOURCE
#include "draws.h"
#include "states_mapping.h"

#include <pthread.h>

#define WAVE 16

static pthread_barrier_t begin, drawn;

static void *draw_and_stay(void *arg)
{
	pthread_barrier_wait(&begin);
	draw(16);
	pthread_barrier_wait(&drawn);
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	int waves = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t thread;

	records_start((size_t)waves * WAVE * 16 + 4096);
	pthread_barrier_init(&begin, NULL, WAVE + 1);
	pthread_barrier_init(&drawn, NULL, WAVE + 1);
	draw(16);
	for (int i = 0; i < waves * WAVE; i++) {
		if (pthread_create(&thread, NULL, draw_and_stay, NULL))
			return 2;
		if (i % WAVE == WAVE - 1) {
			pthread_barrier_wait(&begin);
			pthread_barrier_wait(&drawn);
		}
	}
	printf("threads=%d\nmapped=%zu\n", 1 + waves * WAVE, states_mapped());
	records_check();
	return 0;
}
