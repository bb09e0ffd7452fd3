/* SPDX-License-Identifier: MIT */
/* ChaCha20 on AVX2. */
#if defined(__x86_64__)

#include <immintrin.h>

#define KEYSTREAM chacha20_avx2
#define TARGET __attribute__((target("avx2")))
#define LANES 8
#define CLEAR_UPPER_HALVES                                                                         \
	__asm__ __volatile__("vzeroall" ::                                                         \
				     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",     \
				       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
				       "xmm14", "xmm15")

/* Rotations by whole bytes are one shuffle; the others are two shifts and an OR. */
#define ROTL(x, n)                                                     \
	((n) == 16  ? (lanes)_mm256_shuffle_epi8((__m256i)(x), ROTL16) \
	 : (n) == 8 ? (lanes)_mm256_shuffle_epi8((__m256i)(x), ROTL8)  \
		    : (x) << (n) | (x) >> (32 - (n)))
#define ROTL16                                                                        \
	_mm256_set_epi64x(0x0d0c0f0e09080b0a, 0x0504070601000302, 0x0d0c0f0e09080b0a, \
			  0x0504070601000302)
#define ROTL8                                                                         \
	_mm256_set_epi64x(0x0e0d0c0f0a09080b, 0x0605040702010003, 0x0e0d0c0f0a09080b, \
			  0x0605040702010003)

#include "lanes.h"

#endif
