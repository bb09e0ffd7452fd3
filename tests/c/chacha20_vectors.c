/* SPDX-License-Identifier: MIT */
/* Writes keystream of one instruction set to standard output, which the test compares. Sets of
 * other processors are tested by it under qemu.
 *
 *     chacha20_vectors SET KEY-IN-HEX COUNTER NONCE GROUPS [OFFSET]     OFFSET: of the unaligned
 * output
 *     chacha20_vectors     lists the sets, best first, and whether this machine has them
 */
#include "chacha20/chacha20.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	uint8_t key[CHACHA20_KEY_BYTES];
	const struct chacha20_set *set = chacha20_sets;

	if (argc < 2) {
		for (; set->name; set++)
			printf("%s=%d\n", set->name, chacha20_is_supported(set));
		return 0;
	}
	if (argc < 6 || strlen(argv[2]) != 2 * sizeof(key))
		return 2;
	while (set->name && strcmp(set->name, argv[1]))
		set++;
	if (!set->name || !chacha20_is_supported(set))
		return 77; /* skipped */
	for (size_t i = 0; i < sizeof(key); i++) {
		char digits[3] = { argv[2][2 * i], argv[2][2 * i + 1], 0 };

		key[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	uint64_t counter = strtoull(argv[3], NULL, 0), nonce = strtoull(argv[4], NULL, 0);
	size_t groups = strtoul(argv[5], NULL, 0),
	       offset = argc > 6 ? strtoul(argv[6], NULL, 0) : 0;
	uint8_t *out = malloc(groups * CHACHA20_GROUP_BYTES + offset + 1);

	if (!out)
		return 2;
	set->keystream(out + offset, groups, key, counter, nonce);
	fwrite(out + offset, CHACHA20_GROUP_BYTES, groups, stdout);
	free(out);
	return 0;
}
