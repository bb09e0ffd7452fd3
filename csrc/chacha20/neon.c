/* ChaCha20 on NEON, which every aarch64 has: 4 blocks at a time, word i of all of them in one
 * register. */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "chacha20.h"
#define BURN_BYTES 512
#include "burn.h"
#include "rounds.h"

#define LANES 4

#define ADD(a, b) vaddq_u32(a, b)
#define XOR(a, b) veorq_u32(a, b)

/* Rotation by 16 swaps halfwords; the others shift left and insert what falls out on the right. */
#define ROTL(a, n)                                                                \
	((n) == 16 ? vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32(a))) \
		   : vsriq_n_u32(vshlq_n_u32(a, n), a, 32 - (n)))

#define STEP(a, b, d, n) v[a] = ADD(v[a], v[b]), v[d] = ROTL(XOR(v[d], v[a]), n);

static inline uint32x4_t broadcast(const uint8_t *word)
{
	uint32_t x;

	memcpy(&x, word, sizeof(x));
	return vdupq_n_u32(x);
}
#define KEY(i) broadcast(key + 4 * (i))

/* Lane i of v[g] to v[g+3] is words g to g+3 of block i; afterwards v[g+i] is those of block i. */
static inline void transpose_words(uint32x4_t *v)
{
	uint64x2_t ab_lo = vreinterpretq_u64_u32(vzip1q_u32(v[0], v[1]));
	uint64x2_t ab_hi = vreinterpretq_u64_u32(vzip2q_u32(v[0], v[1]));
	uint64x2_t cd_lo = vreinterpretq_u64_u32(vzip1q_u32(v[2], v[3]));
	uint64x2_t cd_hi = vreinterpretq_u64_u32(vzip2q_u32(v[2], v[3]));

	v[0] = vreinterpretq_u32_u64(vzip1q_u64(ab_lo, cd_lo));
	v[1] = vreinterpretq_u32_u64(vzip2q_u64(ab_lo, cd_lo));
	v[2] = vreinterpretq_u32_u64(vzip1q_u64(ab_hi, cd_hi));
	v[3] = vreinterpretq_u32_u64(vzip2q_u64(ab_hi, cd_hi));
}

/* If it is one of N. */
static inline void store_block(uint8_t *out, size_t n, size_t block, uint32x4_t a, uint32x4_t b,
			       uint32x4_t c, uint32x4_t d)
{
	uint8_t *to = out + block * CHACHA20_BLOCK_BYTES;

	if (block < n) {
		vst1q_u8(to, vreinterpretq_u8_u32(a));
		vst1q_u8(to + 16, vreinterpretq_u8_u32(b));
		vst1q_u8(to + 32, vreinterpretq_u8_u32(c));
		vst1q_u8(to + 48, vreinterpretq_u8_u32(d));
	}
}

ERASES_REGISTERS static void compute(uint8_t *out, size_t blocks,
				     const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter)
{
	const uint32x4_t lane = { 0, 1, 2, 3 };

	while (blocks) {
		size_t n = blocks < LANES ? blocks : LANES;

		/* The counter's low word, and its high word plus one where the low one wrapped
		 * (true is -1). */
		uint32x4_t start = vdupq_n_u32((uint32_t)counter);
		uint32x4_t low = ADD(start, lane);
		uint32x4_t high =
			vsubq_u32(vdupq_n_u32((uint32_t)(counter >> 32)), vcltq_u32(low, start));

		uint32x4_t v[16] = {
			vdupq_n_u32(0x61707865),
			vdupq_n_u32(0x3320646e),
			vdupq_n_u32(0x79622d32),
			vdupq_n_u32(0x6b206574),
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
			vdupq_n_u32(0),
			vdupq_n_u32(0),
		};
		for (int i = 0; i < 10; i++) {
			COLUMN_ROUND(STEP)
			DIAGONAL_ROUND(STEP)
		}

		/* Read the key again rather than keep it in registers. */
		barrier();
		v[0] = ADD(v[0], vdupq_n_u32(0x61707865));
		v[1] = ADD(v[1], vdupq_n_u32(0x3320646e));
		v[2] = ADD(v[2], vdupq_n_u32(0x79622d32));
		v[3] = ADD(v[3], vdupq_n_u32(0x6b206574));
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

/* Not every compiler has ERASES_REGISTERS, and it leaves out v8 to v15, whose upper halves a
 * function need not preserve but may have used. */
static inline void clear_vectors(void)
{
#define CLEAR(i) "movi v" #i ".16b, #0\n\t"
	/* clang-format off */
	__asm__ __volatile__(
		CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
		CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21) CLEAR(22) CLEAR(23)
		CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28) CLEAR(29) CLEAR(30) CLEAR(31)
		::: "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
		    "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20",
		    "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
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

const struct chacha20 chacha20_neon = { "neon", supported, keystream, take_words };

#endif
