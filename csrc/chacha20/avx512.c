/* SPDX-License-Identifier: MIT */
/* ChaCha20 on AVX-512: a register holds one word of all 16 blocks of a group, and two groups are
 * computed side by side.
 *
 * One group has four dependency chains, too few to keep the vector units busy while a rotation
 * takes two cycles. Two groups have eight, and need all 32 registers. One is half its rounds behind
 * the other: while the first is finished and stored and the next one loaded, the second keeps the
 * units busy. This is assembly because gcc copies and spills registers when it gets the same as
 * intrinsics, which is slower by a quarter and leaves state on the stack. docs/machine-code.md has
 * the measurements.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "chacha20.h"
#include "rounds.h"
#include "../wipe.h"

#define AVX512 __attribute__((target("avx512f,avx512vl")))

/* What groups start from. It contains the key, so it must be wiped. */
struct words {
	uint32_t plain[16]; /* the words before the first round, which are also added at the end */
	uint32_t ahead[16]; /* the words of columns 1 to 3 after the first column round */
	uint32_t ending;    /* word 12 of the group that ends next; plain[12] is that of the next to
			       start */
};
#define AHEAD "64"
#define ENDING "128"
_Static_assert(offsetof(struct words, ahead) == 64 && offsetof(struct words, ending) == 128,
	       "the assembler knows the offsets");

/* In the first round only column 0 depends on the number of the block, as long as the high word of
 * the counter stays the same. The other columns are computed here, once for all blocks. */
AVX512 static inline void prepare(struct words *words, const uint8_t key[CHACHA20_KEY_BYTES],
				  uint64_t counter, uint64_t nonce)
{
	const __m128i a = _mm_set_epi32(SIGMA_3, SIGMA_2, SIGMA_1, SIGMA_0);
	const __m128i b = _mm_loadu_si128((const __m128i *)key);
	const __m128i c = _mm_loadu_si128((const __m128i *)(key + 16));
	const __m128i d = _mm_set_epi64x((int64_t)nonce, (int64_t)counter);
	__m128i w = a, x = b, y = c, z = d;
	__m128i *plain = (__m128i *)words->plain, *ahead = (__m128i *)words->ahead;

	_mm_storeu_si128(plain, a);
	_mm_storeu_si128(plain + 1, b);
	_mm_storeu_si128(plain + 2, c);
	_mm_storeu_si128(plain + 3, d);
	words->ending = (uint32_t)counter;

	w = _mm_add_epi32(w, x), z = _mm_rol_epi32(_mm_xor_si128(z, w), 16);
	y = _mm_add_epi32(y, z), x = _mm_rol_epi32(_mm_xor_si128(x, y), 12);
	w = _mm_add_epi32(w, x), z = _mm_rol_epi32(_mm_xor_si128(z, w), 8);
	y = _mm_add_epi32(y, z), x = _mm_rol_epi32(_mm_xor_si128(x, y), 7);
	_mm_storeu_si128(ahead, w);
	_mm_storeu_si128(ahead + 1, x);
	_mm_storeu_si128(ahead + 2, y);
	_mm_storeu_si128(ahead + 3, z);
}

static const uint32_t lanes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* What follows is assembly, where the lines matter to the reader. */
/* clang-format off */

/* Group A is in the first half of its rounds, with word i in zmm i; group B is in the second half,
 * with word i in zmm 16+i. */
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
#define STEP_B(a, b, d, n)  STEP(B, a, b, d, n)
#define STEP_AB(a, b, d, n) STEP(A, a, b, d, n) STEP(B, a, b, d, n)

#define COLUMN_0(R)                                                                                \
	STEP(R, 0, 4, 12, 16) STEP(R, 8, 12, 4, 12) STEP(R, 0, 4, 12, 8) STEP(R, 8, 12, 4, 7)

/* A column round of B beside the first round of A, of which prepare() has left column 0 to do. */
#define COLUMN_ROUND_BESIDE_COLUMN_0                                                               \
	COLUMN_0(A) COLUMN_ROUND(STEP_B)

/* Broadcasts are made by the load ports, so they cost the arithmetic units nothing. */
#define BROADCAST(at, r) "vpbroadcastd " at "(%[words]), " r "\n\t"
#define PLAIN(i)         BROADCAST("4*" #i, A(i))
#define AHEAD_(i)        BROADCAST(AHEAD "+4*" #i, A(i))

/* Column 0 first: its steps do not need what prepare() has computed. */
#define START_A                                                                                    \
	PLAIN(12) OP("vpaddd", "(%[lanes])", A(12), A(12)) PLAIN(0) PLAIN(4) PLAIN(8)              \
	AHEAD_(1) AHEAD_(5) AHEAD_(9) AHEAD_(13)                                                   \
	AHEAD_(2) AHEAD_(6) AHEAD_(10) AHEAD_(14)                                                  \
	AHEAD_(3) AHEAD_(7) AHEAD_(11) AHEAD_(15)                                                  \
	"addl $16, 4*12(%[words])\n\t"

#define ADD(at, r)      OP("vpaddd", at "(%[words])%{1to16%}", r, r)
#define STORE(R, i)     "vmovdqu64 " R(i) ", 64*" #i "(%[out])\n\t"
#define END_WORD(R, i)  ADD("4*" #i, R(i)) STORE(R, i)

#define END(R)                                                                                     \
	ADD(ENDING, R(12)) OP("vpaddd", "(%[lanes])", R(12), R(12)) STORE(R, 12)                   \
	END_WORD(R, 0) END_WORD(R, 1) END_WORD(R, 2) END_WORD(R, 3)                                \
	END_WORD(R, 4) END_WORD(R, 5) END_WORD(R, 6) END_WORD(R, 7)                                \
	END_WORD(R, 8) END_WORD(R, 9) END_WORD(R, 10) END_WORD(R, 11)                              \
	END_WORD(R, 13) END_WORD(R, 14) END_WORD(R, 15)

#define MOVE(i) "vmovdqa64 " A(i) ", " B(i) "\n\t"
#define A_BECOMES_B                                                                                \
	MOVE(0) MOVE(1) MOVE(2) MOVE(3) MOVE(4) MOVE(5) MOVE(6) MOVE(7)                            \
	MOVE(8) MOVE(9) MOVE(10) MOVE(11) MOVE(12) MOVE(13) MOVE(14) MOVE(15)

/* GROUPS groups, at least one. The low word of the counter does not overflow within them. */
AVX512 static inline void run(uint8_t *out, size_t groups, struct words *words)
{
	/* uint64_t, because the assembly uses whole registers and pointers have 32 bits in the x32
	 * ABI. */
	uint64_t to = (uintptr_t)out, left = groups;
	unsigned int i;

	__asm__ __volatile__(
		START_A
		COLUMN_0(A)
		DIAGONAL_ROUND(STEP_A)
		"movl $4, %k[i]\n"
		/* A by itself: the first half of the first group, the second half of the last. */
		"0:\n\t"
		COLUMN_ROUND(STEP_A)
		DIAGONAL_ROUND(STEP_A)
		"decl %k[i]\n\t"
		"jnz 0b\n\t"
		"decq %[groups]\n\t"
		"js 4f\n\t"
		"jz 3f\n"
		/* The first half of one group beside the second half of the one before. */
		"1:\n\t"
		A_BECOMES_B
		START_A
		COLUMN_ROUND_BESIDE_COLUMN_0
		DIAGONAL_ROUND(STEP_AB)
		"movl $4, %k[i]\n"
		"2:\n\t"
		COLUMN_ROUND(STEP_AB)
		DIAGONAL_ROUND(STEP_AB)
		"decl %k[i]\n\t"
		"jnz 2b\n\t"
		END(B)
		"addl $16, " ENDING "(%[words])\n\t"
		"addq $1024, %[out]\n\t"
		"decq %[groups]\n\t"
		"jnz 1b\n"
		"3:\n\t"
		"movl $5, %k[i]\n\t"
		"jmp 0b\n"
		"4:\n\t"
		END(A)
		: [i] "=&r"(i), [out] "+r"(to), [groups] "+r"(left)
		: [words] "r"(words), [lanes] "r"(lanes)
		: "memory", "cc", ALL_VECTORS);
}

/* vzeroall does not clear zmm16 to zmm31. */
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

AVX512 void chacha20_avx512(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES],
			    uint64_t counter, uint64_t nonce)
{
	struct words words;

	while (groups) {
		/* Up to where the low word of the counter overflows. */
		uint64_t n = (0x100000000 - (uint32_t)counter) / CHACHA20_GROUP_BLOCKS;

		if (n > groups)
			n = groups;
		prepare(&words, key, counter, nonce);
		run(out, n, &words);
		out += n * CHACHA20_GROUP_BYTES;
		counter += n * CHACHA20_GROUP_BLOCKS;
		groups -= n;
	}
	/* Before wipe(): while the dynamic linker binds memset(), it saves registers on the stack.
	 */
	clear_vectors();
	wipe(&words, sizeof(words));
}

#endif
