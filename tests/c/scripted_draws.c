/* SPDX-License-Identifier: MIT */
/* Draws over the scripted kernel, and what happens to a state between them: what comes out is the
 * same on every machine, whatever its words, its byte order and its instruction sets.
 *
 *     scripted_draws
 *
 * Prints a checksum of each draw, and the counters at the end. Without additional bytes: their hash
 * takes two numbers in the machine's byte order (csrc/additional.c).
 */
#define _GNU_SOURCE
#include "draws.h"
#include "hooks.h"
#include "scripted_kernel.h"

#include <string.h>
#include <sys/mman.h>

#define MOST_BYTES 70000

/* FNV-1a. */
static uint64_t checksum(const unsigned char *data, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void happen(int what)
{
	void *state = hook_state();

	if (what == 1)
		script_reseed_kernel(2000);
	else if (what == 2)
		vgetrandom_reseed(NULL, 0);
	else if (what == 3 && state)
		memset(state, 0, (size_t)sysconf(_SC_PAGESIZE)); /* as if it had been dropped */
	else if (what == 4)
		script()->has_vdso = 0;
}

int main(void)
{
	static const size_t sizes[] = {
		1,    2,    3,    5,    8,    16, 32, 33, 63, 64,   65,   255,  16, 256, 1000,
		1024, 3039, 3040, 3041, 3072, 16, 48, 7,  16, 4096, 5000, 8191, 16, 16,  MOST_BYTES
	};
	static unsigned char buf[MOST_BYTES];
	struct vgetrandom_generator *generator;

	script()->seed = 7;
	for (int event = 0; event <= 4; event++) {
		happen(event);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			if (vgetrandom(buf, sizes[i], 0) != (ssize_t)sizes[i])
				fail("vgetrandom failed: errno %d", errno);
			printf("draw=%016llx\n", (unsigned long long)checksum(buf, sizes[i]));
		}
	}
	generator = vgetrandom_generator_new();
	for (int i = 0; generator && i < 1000; i++) {
		uint64_t word = vgetrandom_generator_u64(generator);
		uint32_t half = vgetrandom_generator_u32(generator);

		/* Their bytes as they were drawn. */
		memcpy(buf, &word, sizeof(word));
		memcpy(buf + sizeof(word), &half, sizeof(half));
		printf("words=%016llx\n",
		       (unsigned long long)checksum(buf, sizeof(word) + sizeof(half)));
	}
	print_stats();
	return 0;
}
