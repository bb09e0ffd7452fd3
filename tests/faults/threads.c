/* SPDX-License-Identifier: MIT */
/* For the sanitizers: threads draw, end and start again while another one drops their pages,
 * requests reseeds and reads statistics. No two draws may be equal.
 *
 *     threads SECONDS
 */
#define _GNU_SOURCE
#include "../../csrc/draw.h"
#include "../../csrc/include/vgetrandom.h"

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define THREADS 6
#define GENERATIONS 64 /* of threads, at most */
#define DRAWS 500      /* of one thread */
#define KEPT 16        /* bytes of each */

void *peek_state(void);

static uint8_t kept[THREADS][GENERATIONS][DRAWS][KEPT];
static atomic_bool stop;
static void *_Atomic pages[THREADS];
static pthread_barrier_t begin;

static size_t size_of(unsigned int n)
{
	static const size_t sizes[] = {
		16, 32, 200, INLINE_BYTES + 1, BATCH_BYTES - 1, BULK_MIN_BYTES + BULK_GRAIN_BYTES
	};

	return sizes[(n * 2654435761u >> 16) % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void *draw(void *argument)
{
	uint8_t (*mine)[KEPT] = argument;
	uint8_t buf[BULK_MIN_BYTES + BULK_GRAIN_BYTES];
	size_t thread = (size_t)(mine - kept[0][0]) / (GENERATIONS * DRAWS);

	for (unsigned int i = 0; i < DRAWS; i++) {
		size_t len = size_of(i + (unsigned int)thread);

		if (vgetrandom(buf, len, 0) != (ssize_t)len)
			errx(1, "a draw failed");
		memcpy(mine[i], buf + len - KEPT, KEPT);
		pages[thread] = peek_state();
	}
	pages[thread] = NULL;
	return NULL;
}

/* One thread after the other, all of them new to the generator. */
static void *keep_drawing(void *argument)
{
	uint8_t (*mine)[DRAWS][KEPT] = argument;

	pthread_barrier_wait(&begin);
	for (int i = 0; i < GENERATIONS && !stop; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, draw, mine[i]) || pthread_join(thread, NULL))
			errx(1, "no thread");
	}
	return NULL;
}

static void *disturb(void *argument)
{
	struct vgetrandom_info info;
	struct vgetrandom_stats stats;

	(void)argument;
	pthread_barrier_wait(&begin);
	for (unsigned int i = 0; !stop; i++) {
		void *page = pages[i % THREADS];

		if (page)
			madvise(page, 4096, MADV_PAGEOUT);
		if (i % 16 == 0)
			vgetrandom_reseed(NULL, 0);
		vgetrandom_get_info(&info);
		vgetrandom_get_stats(&stats);
		usleep(100);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, KEPT);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS + 1];
	struct vgetrandom_stats stats;
	size_t count = THREADS * GENERATIONS * DRAWS, drawn = 0;
	uint8_t (*all)[KEPT] = kept[0][0];
	static const uint8_t zeros[KEPT];

	pthread_barrier_init(&begin, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, keep_drawing, kept[i]))
			errx(1, "no thread");
	if (pthread_create(&threads[THREADS], NULL, disturb, NULL))
		errx(1, "no thread");
	sleep(argc > 1 ? (unsigned int)atoi(argv[1]) : 1);
	stop = true;
	for (int i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	qsort(all, count, KEPT, compare);
	for (size_t i = 1; i < count; i++) {
		if (memcmp(all[i], zeros, KEPT) == 0)
			continue; /* not drawn */
		drawn++;
		if (memcmp(all[i], all[i - 1], KEPT) == 0)
			errx(1, "two draws are equal");
	}
	vgetrandom_get_stats(&stats);
	printf("%zu draws, %lu states wiped, %lu reseeds requested\n", drawn,
	       (unsigned long)stats.reseeds_wiped, (unsigned long)stats.reseeds_requested);
	return 0;
}
