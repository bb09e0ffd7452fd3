#include "unsound.h"

/* The real one under another name. */
#define chacha20_portable sound
#include "../../csrc/chacha20/portable.c"
#undef chacha20_portable

#include <string.h>

enum set { PORTABLE, SSE2, AVX2, AVX512, NEON, SETS };

static const char *const names[SETS] = { "portable", "sse2", "avx2", "avx512", "neon" };

static struct {
	bool block, carry;
	uint64_t wrong_block;
} defects[SETS];

static int set_of(const char *name)
{
	for (int i = 0; i < SETS; i++)
		if (!strcmp(names[i], name))
			return i;
	return PORTABLE;
}

void unsound_block(const char *name, uint64_t block)
{
	defects[set_of(name)].block = true;
	defects[set_of(name)].wrong_block = block;
}

void unsound_carry(const char *name)
{
	defects[set_of(name)].carry = true;
}

int unsound_choose(void)
{
	unsigned int notes;

	return chacha20_choose(chacha20_all, &notes) != NULL;
}

static void compute_wrong(enum set set, uint8_t *out, size_t blocks, const uint8_t *key,
			  uint64_t counter)
{
	for (uint64_t i = 0; i < blocks; i++, out += CHACHA20_BLOCK_BYTES) {
		uint64_t at = counter + i;

		if (defects[set].carry)
			at = (counter & ~UINT64_C(0xffffffff)) | (uint32_t)at;
		sound.keystream(out, 1, key, at);
		if (defects[set].block && i == defects[set].wrong_block)
			out[63] ^= 0x80;
	}
}

#define SET(set, symbol)                                                                    \
	static void keystream_##symbol(uint8_t *out, size_t blocks, const uint8_t *key,     \
				       uint64_t counter)                                    \
	{                                                                                   \
		compute_wrong(set, out, blocks, key, counter);                              \
	}                                                                                   \
	extern const struct chacha20 chacha20_##symbol;                                     \
	const struct chacha20 chacha20_##symbol = { #symbol, supported, keystream_##symbol, \
						    take_words };

SET(PORTABLE, portable)
#if defined(__x86_64__)
SET(SSE2, sse2)
SET(AVX2, avx2)
SET(AVX512, avx512)
#elif defined(__aarch64__)
SET(NEON, neon)
#endif
