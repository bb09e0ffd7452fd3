/* ChaCha20 on AVX-512: 16 blocks at a time, word i of all of them in one register. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "chacha20.h"
#include "chacha20_lanes.h"
#include "cpu_x86.h"
#include "wipe.h"

#define AVX512 __attribute__((target("avx512f")))

#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ROTL(a, n) _mm512_rol_epi32(a, n)

/* Broadcast straight from the key: a load, which costs the arithmetic units nothing. */
#define KEY(i) _mm512_set1_epi32(((const word *)key)[i])
typedef int __attribute__((may_alias, aligned(1))) word;

/* Lane i of v[4g] to v[4g+3] is words 4g to 4g+3 of block i; afterwards 128-bit lane i of v[4g+r]
 * is those four words of block 4i+r. */
#define TRANSPOSE_WORDS(v, g)                                                      \
	do {                                                                       \
		__m512i ab_lo = _mm512_unpacklo_epi32(v[4 * g], v[4 * g + 1]);     \
		__m512i ab_hi = _mm512_unpackhi_epi32(v[4 * g], v[4 * g + 1]);     \
		__m512i cd_lo = _mm512_unpacklo_epi32(v[4 * g + 2], v[4 * g + 3]); \
		__m512i cd_hi = _mm512_unpackhi_epi32(v[4 * g + 2], v[4 * g + 3]); \
		v[4 * g] = _mm512_unpacklo_epi64(ab_lo, cd_lo);                    \
		v[4 * g + 1] = _mm512_unpackhi_epi64(ab_lo, cd_lo);                \
		v[4 * g + 2] = _mm512_unpacklo_epi64(ab_hi, cd_hi);                \
		v[4 * g + 3] = _mm512_unpackhi_epi64(ab_hi, cd_hi);                \
	} while (0)

#define STORE(block, value)                                                               \
	do {                                                                              \
		if ((block) < n)                                                          \
			_mm512_storeu_si512(out + (block) * CHACHA20_BLOCK_BYTES, value); \
	} while (0)

/* Stores blocks r, 4+r, 8+r and 12+r. */
#define STORE_BLOCKS(v, r)                                                      \
	do {                                                                    \
		__m512i ab01 = _mm512_shuffle_i32x4(v[r], v[4 + r], 0x44);      \
		__m512i ab23 = _mm512_shuffle_i32x4(v[r], v[4 + r], 0xee);      \
		__m512i cd01 = _mm512_shuffle_i32x4(v[8 + r], v[12 + r], 0x44); \
		__m512i cd23 = _mm512_shuffle_i32x4(v[8 + r], v[12 + r], 0xee); \
		STORE(r, _mm512_shuffle_i32x4(ab01, cd01, 0x88));               \
		STORE(4 + r, _mm512_shuffle_i32x4(ab01, cd01, 0xdd));           \
		STORE(8 + r, _mm512_shuffle_i32x4(ab23, cd23, 0x88));           \
		STORE(12 + r, _mm512_shuffle_i32x4(ab23, cd23, 0xdd));          \
	} while (0)

AVX512 static void keystream(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
			     uint64_t counter)
{
	const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	const __m512i c0 = _mm512_set1_epi32(0x61707865), c1 = _mm512_set1_epi32(0x3320646e);
	const __m512i c2 = _mm512_set1_epi32(0x79622d32), c3 = _mm512_set1_epi32(0x6b206574);

	while (blocks) {
		size_t n = blocks < 16 ? blocks : 16;
		__m512i start = _mm512_set1_epi32((int)counter);
		__m512i low = ADD(start, lane);
		__m512i high = _mm512_set1_epi32((int)(counter >> 32));
		high = _mm512_mask_add_epi32(high, _mm512_cmplt_epu32_mask(low, start), high,
					     _mm512_set1_epi32(1));

		__m512i v[16] = {
			c0,
			c1,
			c2,
			c3,
			KEY(0),
			KEY(1),
			KEY(2),
			KEY(3),
			KEY(4),
			KEY(5),
			KEY(6),
			KEY(7),
			low,
			high,
			_mm512_setzero_si512(),
			_mm512_setzero_si512(),
		};
		for (int i = 0; i < 10; i++)
			DOUBLE_ROUND(v);

		/* Read the key again rather than keep it in registers. */
		barrier();
		v[0] = ADD(v[0], c0);
		v[1] = ADD(v[1], c1);
		v[2] = ADD(v[2], c2);
		v[3] = ADD(v[3], c3);
		TRANSPOSE_WORDS(v, 0);
		v[4] = ADD(v[4], KEY(0));
		v[5] = ADD(v[5], KEY(1));
		v[6] = ADD(v[6], KEY(2));
		v[7] = ADD(v[7], KEY(3));
		TRANSPOSE_WORDS(v, 1);
		v[8] = ADD(v[8], KEY(4));
		v[9] = ADD(v[9], KEY(5));
		v[10] = ADD(v[10], KEY(6));
		v[11] = ADD(v[11], KEY(7));
		TRANSPOSE_WORDS(v, 2);
		v[12] = ADD(v[12], low);
		v[13] = ADD(v[13], high);
		TRANSPOSE_WORDS(v, 3);
		STORE_BLOCKS(v, 0);
		STORE_BLOCKS(v, 1);
		STORE_BLOCKS(v, 2);
		STORE_BLOCKS(v, 3);

		out += n * CHACHA20_BLOCK_BYTES;
		counter += n;
		blocks -= n;
	}

	__asm__ __volatile__("vzeroall" ::: "memory");
}

static bool supported(void)
{
	return cpu_x86_has(CPU_AVX512);
}

const struct chacha20 chacha20_avx512 = {"avx512", supported, keystream};

#endif
