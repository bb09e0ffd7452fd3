/* SPDX-License-Identifier: MIT */
/* ChaCha20 on NEON, which every aarch64 has. A big-endian one would store words the wrong way
 * round; it takes portable C. */
#if defined(__AARCH64EL__)

#include <arm_neon.h>

#define TARGET
#define LANES 4

/* Rotation by 16 swaps halfwords; the others shift left and insert what falls out on the right. */
#define ROTL(x, n)                                       \
	((n) == 16 ? (lanes)vrev32q_u16((uint16x8_t)(x)) \
		   : (lanes)vsriq_n_u32((uint32x4_t)((x) << (n)), (uint32x4_t)(x), 32 - (n)))

#include "lanes.h"

void chacha20_neon(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES],
		   uint64_t counter, uint64_t nonce)
{
	uintptr_t frame_end = compute(out, groups, key, counter, nonce);

	clear_registers();
	burn_stack(frame_end);
}

#endif
