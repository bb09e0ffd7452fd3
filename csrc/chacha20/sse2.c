/* SPDX-License-Identifier: MIT */
/* ChaCha20 on SSE2, which every x86-64 has. */
#if defined(__x86_64__)

#include <emmintrin.h>

#define KEYSTREAM chacha20_sse2
#define TARGET
#define LANES 4
#define CLEAR_UPPER_HALVES

/* Rotation by 16 is two shuffles; the others are two shifts and an OR. */
#define ROTL(x, n)                                                                             \
	((n) == 16 ? (lanes)_mm_shufflehi_epi16(_mm_shufflelo_epi16((__m128i)(x), 0xb1), 0xb1) \
		   : (x) << (n) | (x) >> (32 - (n)))

#include "lanes.h"

#endif
