/* Keystream of one instruction set on standard output, for pytest to compare; this is how a
 * foreign processor's set is tested under qemu.
 *
 * usage: chacha20_vectors SET KEY-IN-HEX COUNTER BLOCKS [OFFSET]     OFFSET: of the unaligned
 * output
 */
#include "chacha20/chacha20.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	uint8_t key[CHACHA20_KEY_BYTES];
	const struct chacha20 *const *set = chacha20_all;

	if (argc < 5 || strlen(argv[2]) != 2 * sizeof(key))
		return 2;
	while (*set && strcmp((*set)->name, argv[1]))
		set++;
	if (!*set || !(*set)->supported())
		return 77; /* skipped */
	for (size_t i = 0; i < sizeof(key); i++) {
		char digits[3] = { argv[2][2 * i], argv[2][2 * i + 1], 0 };

		key[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	uint64_t counter = strtoull(argv[3], NULL, 0);
	size_t blocks = strtoul(argv[4], NULL, 0),
	       offset = argc > 5 ? strtoul(argv[5], NULL, 0) : 0;
	uint8_t *out = malloc(blocks * CHACHA20_BLOCK_BYTES + offset + 1);

	if (!out)
		return 2;
	(*set)->keystream(out + offset, blocks, key, counter);
	fwrite(out + offset, CHACHA20_BLOCK_BYTES, blocks, stdout);
	free(out);
	return 0;
}
