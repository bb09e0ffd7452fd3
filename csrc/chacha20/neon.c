/* SPDX-License-Identifier: MIT */
/* ChaCha20 on NEON, which every aarch64 has. Big-endian ones use portable C: the words would be
 * stored in the wrong byte order. */
#if defined(__AARCH64EL__)

#include <arm_neon.h>

#define KEYSTREAM chacha20_neon
#define TARGET
#define LANES 4
#define CLEAR_UPPER_HALVES

/* Rotation by 16 swaps halfwords. The others are a shift to the left and an insertion of the bits
 * that it has lost. */
#define ROTL(x, n)                                       \
	((n) == 16 ? (lanes)vrev32q_u16((uint16x8_t)(x)) \
		   : (lanes)vsriq_n_u32((uint32x4_t)((x) << (n)), (uint32x4_t)(x), 32 - (n)))

#include "lanes.h"

#endif
