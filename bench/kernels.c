/* SPDX-License-Identifier: MIT */
/* How long the keystream functions take by themselves: nanoseconds for a group of 1,024 bytes, in
 * runs of 1 group, 3 groups (a refill) and 64 groups (a bulk chunk). Prints the best of many
 * rounds.
 */
#include "chacha20/chacha20.h"
#include <stdio.h>
#include <time.h>

static _Alignas(64) uint8_t out[65536];
static uint8_t key[CHACHA20_KEY_BYTES] = { 1 };

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(void)
{
	static const size_t groups[] = { 1, 3, 64 };
	for (const struct chacha20_set *set = chacha20_sets; set->name; set++)
		for (size_t n = 0; n < 3 && chacha20_is_supported(set); n++) {
			double best = 1;
			for (int round = 0; round < 300; round++) {
				double start = seconds();
				for (int i = 0; i < 60; i++)
					set->keystream(out, groups[n], key, 0, 0);
				double took = (seconds() - start) / 60;
				best = took < best ? took : best;
			}
			printf("%-8s %2zu groups %6.0f ns a group\n", set->name, groups[n],
			       best * 1e9 / (double)groups[n]);
		}
	return 0;
}
