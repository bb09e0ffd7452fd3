/* ChaCha20 on AVX-512: word i of 16 blocks in one register, and two such groups side by side.
 *
 * One group has four dependency chains, too few to keep the vector units busy while a rotation
 * takes two cycles; two groups have eight, and take all 32 registers. This is assembly because gcc,
 * given the same in intrinsics, copies and spills: slower by a quarter, and state on the stack.
 * docs/machine-code.md has the measurements.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "chacha20.h"
#include "rounds.h"
#include "cpu_x86.h"
#include "../wipe.h"

#define AVX512 __attribute__((target("avx512f,avx512vl")))

/* What a group starts from and what is added at its end, the counter apart. It holds the key, so it
 * is wiped. */
struct words {
	uint32_t start[16], end[16];
};

/* Of the first round, only column 0 depends on the block number, as long as the high word of the
 * counter stays the same. The other columns are computed here, once for all blocks. */
AVX512 static inline void prepare(struct words *words, const uint8_t key[CHACHA20_KEY_BYTES],
				  uint32_t counter_high)
{
	const __m128i a = _mm_set_epi32(0x6b206574, 0x79622d32, 0x3320646e, 0x61707865);
	const __m128i b = _mm_loadu_si128((const __m128i *)key);
	const __m128i c = _mm_loadu_si128((const __m128i *)(key + 16));
	const __m128i d = _mm_set_epi32(0, 0, (int)counter_high, 0);
	__m128i w = a, x = b, y = c, z = d;

	w = _mm_add_epi32(w, x), z = _mm_rol_epi32(_mm_xor_si128(z, w), 16);
	y = _mm_add_epi32(y, z), x = _mm_rol_epi32(_mm_xor_si128(x, y), 12);
	w = _mm_add_epi32(w, x), z = _mm_rol_epi32(_mm_xor_si128(z, w), 8);
	y = _mm_add_epi32(y, z), x = _mm_rol_epi32(_mm_xor_si128(x, y), 7);

	__m128i *start = (__m128i *)words->start, *end = (__m128i *)words->end;
	_mm_storeu_si128(start, _mm_mask_mov_epi32(w, 1, a));
	_mm_storeu_si128(start + 1, _mm_mask_mov_epi32(x, 1, b));
	_mm_storeu_si128(start + 2, _mm_mask_mov_epi32(y, 1, c));
	_mm_storeu_si128(start + 3, z);
	_mm_storeu_si128(end, a);
	_mm_storeu_si128(end + 1, b);
	_mm_storeu_si128(end + 2, c);
	_mm_storeu_si128(end + 3, d);
}

static const uint32_t lanes[32] = {
	0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
	16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

/* What follows is assembly and reads by the line. */
/* clang-format off */

/* Word i of group A is in zmm i, of group B in zmm 16+i. */
#define A(i) "%%zmm" #i
#define B(i) B_(B##i)
#define B_(i) A(i)
#define B0  16
#define B1  17
#define B2  18
#define B3  19
#define B4  20
#define B5  21
#define B6  22
#define B7  23
#define B8  24
#define B9  25
#define B10 26
#define B11 27
#define B12 28
#define B13 29
#define B14 30
#define B15 31

#define ALL_VECTORS                                                                                \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",                            \
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",                      \
	"xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",                    \
	"xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

#define OP(name, from, with, to) name " " from ", " with ", " to "\n\t"

#define STEP(R, a, b, d, n)                                                                        \
	OP("vpaddd", R(b), R(a), R(a))                                                             \
	OP("vpxord", R(a), R(d), R(d))                                                             \
	OP("vprold", "$" #n, R(d), R(d))
#define STEP_A(a, b, d, n)  STEP(A, a, b, d, n)
#define STEP_AB(a, b, d, n) STEP(A, a, b, d, n) STEP(B, a, b, d, n)

#define COLUMN_0(STEP)                                                                             \
	STEP(0, 4, 12, 16) STEP(8, 12, 4, 12) STEP(0, 4, 12, 8) STEP(8, 12, 4, 7)

/* The first column round is what prepare() has left of it. */
#define ROUNDS(STEP)                                                                               \
	COLUMN_0(STEP)                                                                             \
	DIAGONAL_ROUND(STEP)                                                                       \
	"movl $9, %k[i]\n"                                                                         \
	"0:\n\t"                                                                                   \
	COLUMN_ROUND(STEP)                                                                         \
	DIAGONAL_ROUND(STEP)                                                                       \
	"decl %k[i]\n\t"                                                                           \
	"jnz 0b\n\t"

/* Broadcasts come straight from memory: that costs the arithmetic units nothing. */
#define START_WORD(R, i) "vpbroadcastd 4*" #i "(%[words]), " R(i) "\n\t"
#define END_WORD(R, i)   OP("vpaddd", "64+4*" #i "(%[words])%{1to16%}", R(i), R(i))

#define START(R, lanes)                                                                            \
	START_WORD(R, 0) START_WORD(R, 1) START_WORD(R, 2) START_WORD(R, 3)                        \
	START_WORD(R, 4) START_WORD(R, 5) START_WORD(R, 6) START_WORD(R, 7)                        \
	START_WORD(R, 8) START_WORD(R, 9) START_WORD(R, 10) START_WORD(R, 11)                      \
	START_WORD(R, 12) START_WORD(R, 13) START_WORD(R, 14) START_WORD(R, 15)                    \
	OP("vpaddd", lanes "(%[lanes])", R(12), R(12))

/* Words 14 and 15 are the nonce: zero. */
#define END(R, lanes)                                                                              \
	END_WORD(R, 0) END_WORD(R, 1) END_WORD(R, 2) END_WORD(R, 3)                                \
	END_WORD(R, 4) END_WORD(R, 5) END_WORD(R, 6) END_WORD(R, 7)                                \
	END_WORD(R, 8) END_WORD(R, 9) END_WORD(R, 10) END_WORD(R, 11)                              \
	END_WORD(R, 12) END_WORD(R, 13)                                                            \
	OP("vpaddd", lanes "(%[lanes])", R(12), R(12))

/* Four words of 16 blocks, one word per register, become: 128-bit lane i of register r is those
 * four words of block 4i+r. */
#define GATHER_WORDS(a, b, c, d, free)                                                             \
	OP("vpunpckldq", b, a, free)                                                               \
	OP("vpunpckhdq", b, a, b)                                                                  \
	OP("vpunpckldq", d, c, a)                                                                  \
	OP("vpunpckhdq", d, c, d)                                                                  \
	OP("vpunpcklqdq", d, b, c)                                                                 \
	OP("vpunpckhqdq", d, b, d)                                                                 \
	OP("vpunpckhqdq", a, free, b)                                                              \
	OP("vpunpcklqdq", a, free, a)

/* Lane i of four such registers is one block. Stores blocks r, 4+r, 8+r and 12+r. */
#define STORE_BLOCKS(STORE, r, a, b, c, d, free)                                                   \
	OP("vshufi32x4 $0x44,", b, a, free)                                                        \
	OP("vshufi32x4 $0xee,", b, a, b)                                                           \
	OP("vshufi32x4 $0x44,", d, c, a)                                                           \
	OP("vshufi32x4 $0xee,", d, c, d)                                                           \
	OP("vshufi32x4 $0x88,", a, free, c)                                                        \
	OP("vshufi32x4 $0xdd,", a, free, a)                                                        \
	OP("vshufi32x4 $0x88,", d, b, free)                                                        \
	OP("vshufi32x4 $0xdd,", d, b, d)                                                           \
	STORE(r, c)                                                                                \
	STORE(4 + r, a)                                                                            \
	STORE(8 + r, free)                                                                         \
	STORE(12 + r, d)

#define TRANSPOSE(R, STORE, free)                                                                  \
	GATHER_WORDS(R(0), R(1), R(2), R(3), free)                                                 \
	GATHER_WORDS(R(4), R(5), R(6), R(7), free)                                                 \
	GATHER_WORDS(R(8), R(9), R(10), R(11), free)                                               \
	GATHER_WORDS(R(12), R(13), R(14), R(15), free)                                             \
	STORE_BLOCKS(STORE, 0, R(0), R(4), R(8), R(12), free)                                      \
	STORE_BLOCKS(STORE, 1, R(1), R(5), R(9), R(13), free)                                      \
	STORE_BLOCKS(STORE, 2, R(2), R(6), R(10), R(14), free)                                     \
	STORE_BLOCKS(STORE, 3, R(3), R(7), R(11), R(15), free)

#define STORE_A(block, r) "vmovdqu64 " r ", 64*(" #block ")(%[out])\n\t"
#define STORE_B(block, r) "vmovdqu64 " r ", 1024+64*(" #block ")(%[out])\n\t"
#define STORE_FEW(block, r)                                                                        \
	"cmpq $(" #block "), %[blocks]\n\t"                                                        \
	"jbe 1f\n\t"                                                                               \
	STORE_A(block, r)                                                                          \
	"1:\n\t"

AVX512 static inline void blocks_32(uint8_t *out, const struct words *words)
{
	unsigned int i;

	/* The transposition of A needs a free register: word 15 of B, which is keystream by then,
	 * waits in the buffer where B will go. */
	__asm__ __volatile__(
		START(A, "0")
		START(B, "64")
		ROUNDS(STEP_AB)
		END(A, "0")
		END(B, "64")
		"vmovdqu64 %%zmm31, 1024(%[out])\n\t"
		TRANSPOSE(A, STORE_A, "%%zmm31")
		"vmovdqu64 1024(%[out]), %%zmm31\n\t"
		TRANSPOSE(B, STORE_B, "%%zmm0")
		: [i] "=&r"(i)
		: [out] "r"(out), [words] "r"(words), [lanes] "r"(lanes)
		: "memory", "cc", ALL_VECTORS);
}

/* At most 16. */
AVX512 static inline void blocks_16(uint8_t *out, size_t blocks, const struct words *words)
{
	unsigned int i;

	__asm__ __volatile__(
		START(A, "0")
		ROUNDS(STEP_A)
		END(A, "0")
		TRANSPOSE(A, STORE_FEW, "%%zmm16")
		: [i] "=&r"(i)
		: [out] "r"(out), [blocks] "r"(blocks), [words] "r"(words), [lanes] "r"(lanes)
		: "memory", "cc", ALL_VECTORS);
}

/* vzeroall does not know of zmm16 to zmm31. */
#define CLEAR(i) OP("vpxord", B(i), B(i), B(i))
AVX512 static inline void clear_vectors(void)
{
	__asm__ __volatile__(
		"vzeroall\n\t"
		CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
		::: ALL_VECTORS);
}

/* clang-format on */

AVX512 static void keystream(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
			     uint64_t counter)
{
	struct words words;

	while (blocks) {
		/* Up to where the low word of the counter overflows. */
		uint64_t left = 0x100000000 - (uint32_t)counter;
		if (left > blocks)
			left = blocks;
		blocks -= left;

		prepare(&words, key, (uint32_t)(counter >> 32));
		while (left) {
			size_t n = left >= 32 ? 32 : left >= 16 ? 16 : left;

			words.start[12] = words.end[12] = (uint32_t)counter;
			if (n == 32)
				blocks_32(out, &words);
			else
				blocks_16(out, n, &words);
			out += n * CHACHA20_BLOCK_BYTES;
			counter += n;
			left -= n;
		}
	}

	wipe(&words, sizeof(words));
	clear_vectors();
}

static bool supported(void)
{
	return cpu_x86_has(CPU_AVX512);
}

const struct chacha20 chacha20_avx512 = { "avx512", supported, keystream, take_avx };

#endif
