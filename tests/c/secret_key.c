/* Whether a branch or an address depends on the key: to be run under valgrind's memcheck, for
 * which the key is undefined memory.
 *
 *     secret_key SET [BLOCKS]
 *
 * The sets `branch` and `address` do what no set may: to see that valgrind would see it.
 */
#include "chacha20/chacha20.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

static volatile uint8_t table[256], sink;

static void run(const char *name, uint8_t *out, size_t blocks, const uint8_t *key)
{
	if (!strcmp(name, "branch")) {
		if (key[0] & 1)
			sink = 1;
		return;
	}
	if (!strcmp(name, "address")) {
		sink = table[key[31]];
		return;
	}
	for (const struct chacha20 *const *set = chacha20_all; *set; set++) {
		if (strcmp((*set)->name, name))
			continue;
		if (!(*set)->supported())
			exit(77);
		(*set)->keystream(out, blocks, key, 0xfffffffe);
		return;
	}
	exit(2);
}

int main(int argc, char **argv)
{
	size_t blocks = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	uint8_t key[CHACHA20_KEY_BYTES] = { 1, 2, 3 };
	uint8_t *out = calloc(blocks, CHACHA20_BLOCK_BYTES);

	if (argc < 2 || !out)
		return 2;
	if (!RUNNING_ON_VALGRIND)
		return 3;
	VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof(key));
	run(argv[1], out, blocks, key);
	/* The keystream is as secret as the key: it must have become undefined, all of it. */
	if (strcmp(argv[1], "branch") && strcmp(argv[1], "address"))
		for (size_t i = 0; i < blocks * CHACHA20_BLOCK_BYTES; i++)
			if (VALGRIND_CHECK_MEM_IS_ADDRESSABLE(out + i, 1) ||
			    VALGRIND_GET_VBITS(out + i, table, 1) != 1 || table[0] == 0)
				return 4;
	free(out);
	return 0;
}
