/* SPDX-License-Identifier: MIT */
/* ChaCha20 in plain C, for any machine. Compilers can turn the loops over the lanes into vector
 * instructions.
 */
#include "chacha20.h"
#include "burn.h"
#include "rounds.h"

#include <string.h>

/* How many blocks are computed at a time. All 16 of a group would take 1 KiB of stack, and a whole
 * draw may take only 1.5 KiB. */
#define LANES 8
#define FOR_EACH_LANE for (unsigned int lane = 0; lane < LANES; lane++)

#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define STEP(a, b, d, n)                                       \
	FOR_EACH_LANE                                          \
	{                                                      \
		v[a][lane] += v[b][lane];                      \
		v[d][lane] = ROTL(v[d][lane] ^ v[a][lane], n); \
	}

/* Converts a word to little-endian byte order, or back. */
__attribute__((always_inline)) static inline uint32_t little_endian(uint32_t x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap32(x);
#else
	return x;
#endif
}

ERASES_REGISTERS static uintptr_t compute(uint8_t *out, size_t groups,
					  const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter,
					  uint64_t nonce)
{
	uint32_t start[16] = { SIGMA_0, SIGMA_1, SIGMA_2, SIGMA_3 };
	uint32_t v[16][LANES];

	memcpy(start + 4, key, CHACHA20_KEY_BYTES);
	for (int i = 4; i < 12; i++)
		start[i] = little_endian(start[i]);
	start[14] = (uint32_t)nonce;
	start[15] = (uint32_t)(nonce >> 32);

	for (; groups; groups--, out += CHACHA20_GROUP_BYTES - CHACHA20_BLOCK_BYTES)
		for (int pass = 0; pass < 16 / LANES; pass++, out += 4 * LANES, counter += LANES) {
			start[12] = (uint32_t)counter;
			start[13] = (uint32_t)(counter >> 32);
			for (int i = 0; i < 16; i++)
				FOR_EACH_LANE v[i][lane] = start[i];
			FOR_EACH_LANE v[12][lane] += lane;

			for (int i = 0; i < 10; i++) {
				COLUMN_ROUND(STEP)
				DIAGONAL_ROUND(STEP)
			}

			FOR_EACH_LANE v[12][lane] += lane;
			for (int i = 0; i < 16; i++)
				FOR_EACH_LANE v[i][lane] = little_endian(v[i][lane] + start[i]);
			for (int i = 0; i < 16; i++)
				memcpy(out + CHACHA20_BLOCK_BYTES * i, v[i], sizeof(v[i]));
		}
	return FRAME_END;
}

void chacha20_portable(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES],
		       uint64_t counter, uint64_t nonce)
{
	uintptr_t frame_end = compute(out, groups, key, counter, nonce);

	clear_registers();
	burn_stack(frame_end);
}
