/* ChaCha20 on AVX2: 8 blocks at a time, word i of all of them in one register. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "chacha20.h"
#define BURN_BYTES 1536 /* gcc 12 -O2 uses 712, -Os 1120 */
#include "burn.h"
#include "rounds.h"
#include "cpu_x86.h"

#define AVX2 __attribute__((target("avx2")))

#define LANES 8

#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)

/* Rotations by whole bytes are one shuffle; the others need two shifts. */
#define ROTL(a, n)                                   \
	((n) == 16  ? _mm256_shuffle_epi8(a, rotl16) \
	 : (n) == 8 ? _mm256_shuffle_epi8(a, rotl8)  \
		    : _mm256_or_si256(_mm256_slli_epi32(a, n), _mm256_srli_epi32(a, 32 - (n))))

#define STEP(a, b, d, n) v[a] = ADD(v[a], v[b]), v[d] = ROTL(XOR(v[d], v[a]), n);

typedef int32_t __attribute__((may_alias, aligned(1))) word;
#define KEY(i) _mm256_set1_epi32(((const word *)key)[i])

/* Lane i of v[g] to v[g+3] is words g to g+3 of block i; afterwards 128-bit lane i of v[g+r] is
 * those four words of block 4i+r. */
AVX2 static inline void transpose_words(__m256i *v)
{
	__m256i ab_lo = _mm256_unpacklo_epi32(v[0], v[1]);
	__m256i ab_hi = _mm256_unpackhi_epi32(v[0], v[1]);
	__m256i cd_lo = _mm256_unpacklo_epi32(v[2], v[3]);
	__m256i cd_hi = _mm256_unpackhi_epi32(v[2], v[3]);

	v[0] = _mm256_unpacklo_epi64(ab_lo, cd_lo);
	v[1] = _mm256_unpackhi_epi64(ab_lo, cd_lo);
	v[2] = _mm256_unpacklo_epi64(ab_hi, cd_hi);
	v[3] = _mm256_unpackhi_epi64(ab_hi, cd_hi);
}

AVX2 static inline void store(uint8_t *out, size_t n, size_t block, __m256i low, __m256i high)
{
	if (block < n) {
		_mm256_storeu_si256((__m256i *)(out + block * CHACHA20_BLOCK_BYTES), low);
		_mm256_storeu_si256((__m256i *)(out + block * CHACHA20_BLOCK_BYTES + 32), high);
	}
}

/* Of N blocks, r and 4+r: lanes 0 and 1 of all four. */
AVX2 static inline void store_blocks(uint8_t *out, size_t n, size_t r, __m256i a, __m256i b,
				     __m256i c, __m256i d)
{
	store(out, n, r, _mm256_permute2x128_si256(a, b, 0x20),
	      _mm256_permute2x128_si256(c, d, 0x20));
	store(out, n, 4 + r, _mm256_permute2x128_si256(a, b, 0x31),
	      _mm256_permute2x128_si256(c, d, 0x31));
}

ERASES_REGISTERS AVX2 static void compute(uint8_t *out, size_t blocks,
					  const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter)
{
	const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
	const __m256i sign = _mm256_set1_epi32(INT32_MIN);
	const __m256i rotl16 = _mm256_set_epi64x(0x0d0c0f0e09080b0a, 0x0504070601000302,
						 0x0d0c0f0e09080b0a, 0x0504070601000302);
	const __m256i rotl8 = _mm256_set_epi64x(0x0e0d0c0f0a09080b, 0x0605040702010003,
						0x0e0d0c0f0a09080b, 0x0605040702010003);

	while (blocks) {
		size_t n = blocks < LANES ? blocks : LANES;

		/* The counter's low word, and its high word plus one where the low one wrapped.
		 * AVX2 compares signed numbers only, and true is -1. */
		__m256i start = _mm256_set1_epi32((int32_t)counter);
		__m256i low = ADD(start, lane);
		__m256i wrapped = _mm256_cmpgt_epi32(XOR(start, sign), XOR(low, sign));
		__m256i high =
			_mm256_sub_epi32(_mm256_set1_epi32((int32_t)(counter >> 32)), wrapped);

		__m256i v[16] = {
			_mm256_set1_epi32(0x61707865),
			_mm256_set1_epi32(0x3320646e),
			_mm256_set1_epi32(0x79622d32),
			_mm256_set1_epi32(0x6b206574),
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
			_mm256_setzero_si256(),
			_mm256_setzero_si256(),
		};
		for (int i = 0; i < 10; i++) {
			COLUMN_ROUND(STEP)
			DIAGONAL_ROUND(STEP)
		}

		/* Read the key again rather than keep copies of it on the stack. */
		barrier();
		v[0] = ADD(v[0], _mm256_set1_epi32(0x61707865));
		v[1] = ADD(v[1], _mm256_set1_epi32(0x3320646e));
		v[2] = ADD(v[2], _mm256_set1_epi32(0x79622d32));
		v[3] = ADD(v[3], _mm256_set1_epi32(0x6b206574));
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
		store_blocks(out, n, 0, v[0], v[4], v[8], v[12]);
		store_blocks(out, n, 1, v[1], v[5], v[9], v[13]);
		store_blocks(out, n, 2, v[2], v[6], v[10], v[14]);
		store_blocks(out, n, 3, v[3], v[7], v[11], v[15]);

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
	/* Not every compiler has ERASES_REGISTERS. */
	__asm__ __volatile__("vzeroall" ::
				     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
				       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
				       "xmm14", "xmm15");
}

static bool supported(void)
{
	return cpu_x86_has(CPU_AVX2);
}

const struct chacha20 chacha20_avx2 = { "avx2", supported, keystream, take_avx };

#endif
