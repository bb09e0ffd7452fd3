/* ChaCha20 on SSE2, which every x86-64 has: 4 blocks at a time, word i of all of them in one
 * register. */
#if defined(__x86_64__)

#include <emmintrin.h>

#include "chacha20.h"
#define BURN_BYTES 1024
#include "burn.h"
#include "rounds.h"

#define LANES 4

#define ADD(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)

/* Rotation by 16 is two shuffles; the others need two shifts and an OR. */
#define ROTL(a, n)                                                           \
	((n) == 16 ? _mm_shufflehi_epi16(_mm_shufflelo_epi16(a, 0xb1), 0xb1) \
		   : _mm_or_si128(_mm_slli_epi32(a, n), _mm_srli_epi32(a, 32 - (n))))

#define STEP(a, b, d, n) v[a] = ADD(v[a], v[b]), v[d] = ROTL(XOR(v[d], v[a]), n);

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

/* If it is one of N. */
static inline void store_block(uint8_t *out, size_t n, size_t block, __m128i a, __m128i b,
			       __m128i c, __m128i d)
{
	__m128i *to = (__m128i *)(out + block * CHACHA20_BLOCK_BYTES);

	if (block < n) {
		_mm_storeu_si128(to, a);
		_mm_storeu_si128(to + 1, b);
		_mm_storeu_si128(to + 2, c);
		_mm_storeu_si128(to + 3, d);
	}
}

ERASES_REGISTERS static void compute(uint8_t *out, size_t blocks,
				     const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter)
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
		for (int i = 0; i < 10; i++) {
			COLUMN_ROUND(STEP)
			DIAGONAL_ROUND(STEP)
		}

		/* Read the key again rather than keep copies of it on the stack. */
		barrier();
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
		store_block(out, n, 0, v[0], v[4], v[8], v[12]);
		store_block(out, n, 1, v[1], v[5], v[9], v[13]);
		store_block(out, n, 2, v[2], v[6], v[10], v[14]);
		store_block(out, n, 3, v[3], v[7], v[11], v[15]);

		out += n * CHACHA20_BLOCK_BYTES;
		counter += n;
		blocks -= n;
	}
}

/* Not every compiler has ERASES_REGISTERS. */
static inline void clear_vectors(void)
{
#define CLEAR(i) "pxor %%xmm" #i ", %%xmm" #i "\n\t"
	/* clang-format off */
	__asm__ __volatile__(
		CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
		::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		    "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	/* clang-format on */
}

static void keystream(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
		      uint64_t counter)
{
	compute(out, blocks, key, counter);
	burn_stack();
	clear_vectors();
}

static bool supported(void)
{
	return true;
}

const struct chacha20 chacha20_sse2 = { "sse2", supported, keystream, take_words };

#endif
