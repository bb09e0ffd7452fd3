/* SPDX-License-Identifier: MIT */
/* Moving bytes out of the batch: each is copied and erased at once, so that bytes that have been
 * served are in no memory but the caller's.
 *
 * They pass through registers, which must be erased as well. The zeros for the batch are made in
 * the very registers that held the bytes, which only assembler can guarantee.
 */
#ifndef VGETRANDOM_COPY_AND_ERASE_H
#define VGETRANDOM_COPY_AND_ERASE_H

#include <stddef.h>
#include <stdint.h>

/* Unaligned words that may alias anything, so that the compiler knows which memory the assembler
 * reads and writes. */
#define UNALIGNED(bits)                                             \
	struct __attribute__((packed, may_alias)) unaligned##bits { \
		uint8_t bytes[(bits) / 8];                          \
	}
UNALIGNED(8);
UNALIGNED(16);
UNALIGNED(32);
UNALIGNED(64);
UNALIGNED(128);
UNALIGNED(256);
#define WORD(bits, at) (*(struct unaligned##bits *)(at))

/* COPY_AND_ERASE_ONE defines move_word8() and so on, which move one word.
 * COPY_AND_ERASE_TWO defines move_word16_to_32() and so on, which move LEN bytes, one word to two:
 * the first word and the last, which may overlap, so both are loaded before either is erased. */
#if defined(__x86_64__)

#define COPY_AND_ERASE_ONE(bits, move, a, zero_a)                                                  \
	static inline void move_word##bits(uint8_t *to, uint8_t *from)                             \
	{                                                                                          \
		__asm__(move " %1, %%" a "\n\t" move " %%" a ", %0\n\t" zero_a "\n\t" move " %%" a \
			     ", %1"                                                                \
			: "=m"(WORD(bits, to)), "+m"(WORD(bits, from))                             \
			:                                                                          \
			: "rax", "xmm0", "cc");                                                    \
	}
#define COPY_AND_ERASE_TWO(bits, most, move, a, b, zero_a, zero_b)                               \
	static inline void move_word##bits##_to_##most(uint8_t *to, uint8_t *from, size_t len)   \
	{                                                                                        \
		size_t last = len - (bits) / 8;                                                  \
		__asm__(move " %2, %%" a "\n\t" move " %3, %%" b "\n\t" move " %%" a             \
			     ", %0\n\t" move " %%" b ", %1\n\t" zero_a "\n\t" zero_b "\n\t" move \
			     " %%" a ", %2\n\t" move " %%" b ", %3"                              \
			: "=m"(WORD(bits, to)), "=m"(WORD(bits, to + last)),                     \
			  "+m"(WORD(bits, from)), "+m"(WORD(bits, from + last))                  \
			:                                                                        \
			: "rax", "r11", "xmm0", "xmm1", "cc");                                   \
	}

#define ZERO_AX "xorl %%eax, %%eax"
#define ZERO_R11 "xorl %%r11d, %%r11d"
COPY_AND_ERASE_ONE(8, "movb", "al", ZERO_AX)
COPY_AND_ERASE_TWO(16, 32, "movw", "ax", "r11w", ZERO_AX, ZERO_R11)
COPY_AND_ERASE_TWO(32, 64, "movl", "eax", "r11d", ZERO_AX, ZERO_R11)
COPY_AND_ERASE_TWO(64, 128, "movq", "rax", "r11", ZERO_AX, ZERO_R11)
COPY_AND_ERASE_ONE(128, "movdqu", "xmm0", "pxor %%xmm0, %%xmm0")
COPY_AND_ERASE_TWO(128, 256, "movdqu", "xmm0", "xmm1", "pxor %%xmm0, %%xmm0", "pxor %%xmm1, %%xmm1")
/* For CPUs with AVX. */
#define ZERO_YMM0 "vpxor %%xmm0, %%xmm0, %%xmm0"
#define ZERO_YMM1 "vpxor %%xmm1, %%xmm1, %%xmm1"
COPY_AND_ERASE_ONE(256, "vmovdqu", "ymm0", ZERO_YMM0)
COPY_AND_ERASE_TWO(256, 512, "vmovdqu", "ymm0", "ymm1", ZERO_YMM0, ZERO_YMM1)

#elif defined(__aarch64__)

#define COPY_AND_ERASE_ONE(bits, load, store, a, zero_a)                                       \
	static inline void move_word##bits(uint8_t *to, uint8_t *from)                         \
	{                                                                                      \
		__asm__(load " " a ", %1\n\t" store " " a ", %0\n\t" zero_a "\n\t" store " " a \
			     ", %1"                                                            \
			: "=m"(WORD(bits, to)), "+m"(WORD(bits, from))                         \
			:                                                                      \
			: "x9", "v0");                                                         \
	}
#define COPY_AND_ERASE_TWO(bits, most, load, store, a, b, zero_a, zero_b)                        \
	static inline void move_word##bits##_to_##most(uint8_t *to, uint8_t *from, size_t len)   \
	{                                                                                        \
		size_t last = len - (bits) / 8;                                                  \
		__asm__(load " " a ", %2\n\t" load " " b ", %3\n\t" store " " a ", %0\n\t" store \
			     " " b ", %1\n\t" zero_a "\n\t" zero_b "\n\t" store " " a            \
			     ", %2\n\t" store " " b ", %3"                                       \
			: "=Q"(WORD(bits, to)), "=Q"(WORD(bits, to + last)),                     \
			  "+Q"(WORD(bits, from)), "+Q"(WORD(bits, from + last))                  \
			:                                                                        \
			: "x9", "x10", "v0", "v1");                                              \
	}

#define ZERO_X9 "mov x9, xzr"
#define ZERO_X10 "mov x10, xzr"
COPY_AND_ERASE_ONE(8, "ldrb", "strb", "w9", ZERO_X9)
COPY_AND_ERASE_TWO(16, 32, "ldrh", "strh", "w9", "w10", ZERO_X9, ZERO_X10)
COPY_AND_ERASE_TWO(32, 64, "ldr", "str", "w9", "w10", ZERO_X9, ZERO_X10)
COPY_AND_ERASE_TWO(64, 128, "ldr", "str", "x9", "x10", ZERO_X9, ZERO_X10)
COPY_AND_ERASE_ONE(128, "ldr", "str", "q0", "movi v0.2d, #0")
COPY_AND_ERASE_TWO(128, 256, "ldr", "str", "q0", "q1", "movi v0.2d, #0", "movi v1.2d, #0")

#else

/* Nothing guarantees that registers are erased here. */
#define COPY_AND_ERASE_ONE(bits)                                       \
	static inline void move_word##bits(uint8_t *to, uint8_t *from) \
	{                                                              \
		WORD(bits, to) = WORD(bits, from);                     \
		WORD(bits, from) = (struct unaligned##bits){ { 0 } };  \
	}
#define COPY_AND_ERASE_TWO(bits, most)                                                          \
	static inline void move_word##bits##_to_##most(uint8_t *to, uint8_t *from, size_t len)  \
	{                                                                                       \
		size_t last = len - (bits) / 8;                                                 \
		struct unaligned##bits a = WORD(bits, from), b = WORD(bits, from + last);       \
		WORD(bits, to) = a;                                                             \
		WORD(bits, to + last) = b;                                                      \
		WORD(bits, from) = WORD(bits, from + last) = (struct unaligned##bits){ { 0 } }; \
	}
COPY_AND_ERASE_ONE(8)
COPY_AND_ERASE_TWO(16, 32)
COPY_AND_ERASE_TWO(32, 64)
COPY_AND_ERASE_TWO(64, 128)
COPY_AND_ERASE_ONE(128)
COPY_AND_ERASE_TWO(128, 256)

#endif

/* LEN is more than 16. Branches may depend on it: lengths are public. */
static inline void copy_and_erase_many(uint8_t *to, uint8_t *from, size_t len)
{
	for (; len > 32; to += 16, from += 16, len -= 16)
		move_word128(to, from);
	move_word128_to_256(to, from, len);
}

static inline void copy_and_erase(uint8_t *to, uint8_t *from, size_t len)
{
	/* First the size that most requests have. */
	if (len == 16)
		move_word128(to, from);
	else if (len > 16)
		copy_and_erase_many(to, from, len);
	else if (len >= 8)
		move_word64_to_128(to, from, len);
	else if (len >= 4)
		move_word32_to_64(to, from, len);
	else if (len >= 2)
		move_word16_to_32(to, from, len);
	else if (len == 1)
		move_word8(to, from);
}

#endif
