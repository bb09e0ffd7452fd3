/* SPDX-License-Identifier: MIT */
/* What SSE2, AVX2 and NEON share: a register holds one word of LANES blocks, and is stored as it
 * is, because that is the order of the keystream. A group takes 16 / LANES passes.
 *
 * The including file defines what differs: KEYSTREAM, the function's name; LANES; ROTL(x, n) for a
 * `lanes` x; TARGET, the attribute of functions that use the set; and CLEAR_UPPER_HALVES, for
 * registers wider than those that clear_registers() clears. Sixteen words of state and the
 * temporaries of the rotations do not fit into sixteen registers, so compilers spill; hence burn.h.
 */
#include "chacha20.h"
#include "burn.h"
#include "rounds.h"

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
typedef lanes stored_lanes __attribute__((aligned(1), may_alias));
typedef uint32_t __attribute__((aligned(1), may_alias)) key_word;

#define ALL(x) ((lanes){ 0 } + (uint32_t)(x))
#define KEY(i) ALL(((const key_word *)key)[i])
#define STEP(a, b, d, n) v[a] += v[b], v[d] ^= v[a], v[d] = ROTL(v[d], n);
#define STORE(word, value) *(stored_lanes *)(out + 64 * (word)) = v[word] + (value);

ERASES_REGISTERS TARGET static uintptr_t compute(uint8_t *out, size_t groups,
						 const uint8_t key[CHACHA20_KEY_BYTES],
						 uint64_t counter, uint64_t nonce)
{
	lanes number;

	for (unsigned int i = 0; i < LANES; i++)
		number[i] = i;
	for (; groups; groups--, out += CHACHA20_GROUP_BYTES - CHACHA20_BLOCK_BYTES)
		for (int pass = 0; pass < 16 / LANES; pass++, out += 4 * LANES, counter += LANES) {
			/* The low word does not overflow within a group. */
			lanes low = number + (uint32_t)counter;
			uint32_t high = (uint32_t)(counter >> 32);
			uint32_t nonce_low = (uint32_t)nonce, nonce_high = (uint32_t)(nonce >> 32);
			lanes v[16] = {
				ALL(SIGMA_0), ALL(SIGMA_1), ALL(SIGMA_2),   ALL(SIGMA_3),
				KEY(0),       KEY(1),       KEY(2),         KEY(3),
				KEY(4),       KEY(5),       KEY(6),         KEY(7),
				low,          ALL(high),    ALL(nonce_low), ALL(nonce_high),
			};

			for (int i = 0; i < 10; i++) {
				COLUMN_ROUND(STEP)
				DIAGONAL_ROUND(STEP)
			}
			/* Makes the compiler read the key again instead of keeping copies of it on
			 * the stack. */
			barrier();
			STORE(0, ALL(SIGMA_0))
			STORE(1, ALL(SIGMA_1))
			STORE(2, ALL(SIGMA_2))
			STORE(3, ALL(SIGMA_3))
			STORE(4, KEY(0))
			STORE(5, KEY(1))
			STORE(6, KEY(2))
			STORE(7, KEY(3))
			STORE(8, KEY(4))
			STORE(9, KEY(5))
			STORE(10, KEY(6))
			STORE(11, KEY(7))
			STORE(12, low)
			STORE(13, ALL(high))
			STORE(14, ALL(nonce_low))
			STORE(15, ALL(nonce_high))
		}
	return FRAME_END;
}

void KEYSTREAM(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter,
	       uint64_t nonce)
{
	uintptr_t frame_end = compute(out, groups, key, counter, nonce);

	CLEAR_UPPER_HALVES;
	clear_registers();
	burn_stack(frame_end);
}
