/* SPDX-License-Identifier: MIT */
/* What a batch size costs: the average time of a draw of 16, 256 and 1,024 bytes, and the time of a
 * draw of 16 bytes that has to refill. Prints the best of many rounds, in nanoseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <vgetrandom.h>

static unsigned char buffer[1024];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void draw(size_t len)
{
	if (vgetrandom(buffer, len, 0) != (ssize_t)len)
		abort();
}

static double average(size_t len)
{
	const int draws = 4000000 / (int)(len + 64);
	double best = 1e9;

	for (int round = 0; round < 25; round++) {
		double start = now();

		for (int i = 0; i < draws; i++)
			draw(len);
		double took = (now() - start) / draws;

		if (took < best)
			best = took;
	}
	return best;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The slowest draw of each batch: the median over many batches, less what reading the clock takes.
 */
static double refill(void)
{
	enum { BATCHES = 2001 };
	static double slowest[BATCHES], clock_cost[BATCHES];
	struct vgetrandom_info info;

	vgetrandom_get_info(&info);
	for (int i = 0; info.batch_bytes && i < BATCHES; i++) {
		slowest[i] = 0;
		for (size_t served = 0; served < info.batch_bytes; served += 16) {
			double start = now();

			draw(16);
			double took = now() - start;

			if (took > slowest[i])
				slowest[i] = took;
		}
		double start = now();

		clock_cost[i] = now() - start;
	}
	qsort(slowest, BATCHES, sizeof(*slowest), compare);
	qsort(clock_cost, BATCHES, sizeof(*clock_cost), compare);
	return slowest[BATCHES / 2] - clock_cost[BATCHES / 2];
}

int main(void)
{
	printf("%.3f %.3f %.3f %.1f\n", average(16), average(256), average(1024), refill());
	return 0;
}
