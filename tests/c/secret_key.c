/* SPDX-License-Identifier: MIT */
/* Computes keystream under valgrind's memcheck, which is told that the key is undefined memory: it
 * complains if a branch or an address depends on it.
 *
 *     secret_key SET [GROUPS]
 *
 * The sets `branch` and `address` make this mistake, to show that valgrind reports it. `nothing`
 * does nothing, to show that valgrind reports nothing about libc.
 */
#include "chacha20/chacha20.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

static volatile uint8_t table[256], sink;

static void run(const char *name, uint8_t *out, size_t groups, const uint8_t *key)
{
	if (!strcmp(name, "nothing"))
		return;
	if (!strcmp(name, "branch")) {
		if (key[0] & 1)
			sink = 1;
		return;
	}
	if (!strcmp(name, "address")) {
		sink = table[key[31]];
		return;
	}
	for (const struct chacha20_set *set = chacha20_sets; set->name; set++) {
		if (strcmp(set->name, name))
			continue;
		if (!chacha20_is_supported(set))
			exit(77);
		set->keystream(out, groups, key, 0xfffffff0, 1);
		return;
	}
	exit(2);
}

int main(int argc, char **argv)
{
	size_t groups = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	uint8_t key[CHACHA20_KEY_BYTES] = { 1, 2, 3 };
	uint8_t *out = calloc(groups, CHACHA20_GROUP_BYTES);

	if (argc < 2 || !out)
		return 2;
	if (!RUNNING_ON_VALGRIND)
		return 3;
	VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof(key));
	run(argv[1], out, groups, key);
	/* The keystream depends on the key, so all of it must be undefined now. Otherwise valgrind
	 * has not followed the computation. */
	if (strcmp(argv[1], "branch") && strcmp(argv[1], "address") && strcmp(argv[1], "nothing"))
		for (size_t i = 0; i < groups * CHACHA20_GROUP_BYTES; i++)
			if (VALGRIND_CHECK_MEM_IS_ADDRESSABLE(out + i, 1) ||
			    VALGRIND_GET_VBITS(out + i, table, 1) != 1 || table[0] == 0)
				return 4;
	free(out);
	return 0;
}
