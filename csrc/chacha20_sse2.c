/* ChaCha20 on SSE2, which every x86-64 has: 4 blocks at a time, word i of all of them in one
 * register. */
#if defined(__x86_64__)

#include <emmintrin.h>

#include "chacha20.h"
#include "chacha20_burn.h"
#include "chacha20_lanes.h"

#define LANES 4

#define ADD(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)

/* Rotation by 16 is two shuffles; the others need two shifts and an OR. */
#define ROTL(a, n)                                                           \
	((n) == 16 ? _mm_shufflehi_epi16(_mm_shufflelo_epi16(a, 0xb1), 0xb1) \
		   : _mm_or_si128(_mm_slli_epi32(a, n), _mm_srli_epi32(a, 32 - (n))))

typedef int32_t __attribute__((may_alias, aligned(1))) word;
#define KEY(i) _mm_set1_epi32(((const word *)key)[i])

/* Lane i of v[g] to v[g+3] is words g to g+3 of block i; afterwards v[g+i] is those of block i. */
static inline void transpose_words(__m128i *v)
{
	__m128i ab_lo = _mm_unpacklo_epi32(v[0], v[1]);
	__m128i ab_hi = _mm_unpackhi_epi32(v[0], v[1]);
	__m128i cd_lo = _mm_unpacklo_epi32(v[2], v[3]);
	__m128i cd_hi = _mm_unpackhi_epi32(v[2], v[3]);

	v[0] = _mm_unpacklo_epi64(ab_lo, cd_lo);
	v[1] = _mm_unpackhi_epi64(ab_lo, cd_lo);
	v[2] = _mm_unpacklo_epi64(ab_hi, cd_hi);
	v[3] = _mm_unpackhi_epi64(ab_hi, cd_hi);
}

WORKER static void compute(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
			   uint64_t counter)
{
	const __m128i lane = _mm_set_epi32(3, 2, 1, 0);
	const __m128i sign = _mm_set1_epi32(INT32_MIN);

	while (blocks) {
		size_t n = blocks < LANES ? blocks : LANES;

		/* The counter's low word, and its high word plus one where the low one wrapped.
		 * SSE2 compares signed numbers only, and true is -1. */
		__m128i start = _mm_set1_epi32((int32_t)counter);
		__m128i low = ADD(start, lane);
		__m128i wrapped = _mm_cmpgt_epi32(XOR(start, sign), XOR(low, sign));
		__m128i high = _mm_sub_epi32(_mm_set1_epi32((int32_t)(counter >> 32)), wrapped);

		__m128i v[16] = {
			_mm_set1_epi32(0x61707865),
			_mm_set1_epi32(0x3320646e),
			_mm_set1_epi32(0x79622d32),
			_mm_set1_epi32(0x6b206574),
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
			_mm_setzero_si128(),
			_mm_setzero_si128(),
		};
		for (int i = 0; i < 10; i++)
			DOUBLE_ROUND(v);

		v[0] = ADD(v[0], _mm_set1_epi32(0x61707865));
		v[1] = ADD(v[1], _mm_set1_epi32(0x3320646e));
		v[2] = ADD(v[2], _mm_set1_epi32(0x79622d32));
		v[3] = ADD(v[3], _mm_set1_epi32(0x6b206574));
		v[4] = ADD(v[4], KEY(0));
		v[5] = ADD(v[5], KEY(1));
		v[6] = ADD(v[6], KEY(2));
		v[7] = ADD(v[7], KEY(3));
		v[8] = ADD(v[8], KEY(4));
		v[9] = ADD(v[9], KEY(5));
		v[10] = ADD(v[10], KEY(6));
		v[11] = ADD(v[11], KEY(7));
		v[12] = ADD(v[12], low);
		v[13] = ADD(v[13], high);

		transpose_words(v);
		transpose_words(v + 4);
		transpose_words(v + 8);
		transpose_words(v + 12);
		for (size_t i = 0; i < n; i++) {
			__m128i *block = (__m128i *)(out + i * CHACHA20_BLOCK_BYTES);

			_mm_storeu_si128(block, v[i]);
			_mm_storeu_si128(block + 1, v[4 + i]);
			_mm_storeu_si128(block + 2, v[8 + i]);
			_mm_storeu_si128(block + 3, v[12 + i]);
		}

		out += n * CHACHA20_BLOCK_BYTES;
		counter += n;
		blocks -= n;
	}
}

static void keystream(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
		      uint64_t counter)
{
	compute(out, blocks, key, counter);
	burn_stack();
}

static bool supported(void)
{
	return true;
}

const struct chacha20 chacha20_sse2 = {"sse2", supported, keystream};

#endif
