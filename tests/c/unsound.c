/* SPDX-License-Identifier: MIT */
#include "unsound.h"

/* The real one under another name. */
#define chacha20_portable sound
#include "../../csrc/chacha20/portable.c"
#undef chacha20_portable
keystream_fn chacha20_portable;

/* The sets of other machines are never called, but having them does no harm. */
enum set {
#define SET(name, ...) SET_##name,
#include "../../csrc/chacha20/sets.h"
	SETS,
};

static struct {
	bool block, carry, nonce;
	uint64_t wrong_block;
} defects[SETS];

static enum set set_of(const char *name)
{
	for (int i = 0; i < SETS; i++)
		if (!strcmp(chacha20_sets[i].name, name))
			return i;
	return SET_portable;
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

void unsound_nonce(const char *name)
{
	defects[set_of(name)].nonce = true;
}

static void compute_wrong(enum set set, uint8_t *out, size_t groups, const uint8_t *key,
			  uint64_t counter, uint64_t nonce)
{
	if (defects[set].nonce)
		nonce &= 0xffffffff;
	for (uint64_t i = 0; i < groups; i++, out += CHACHA20_GROUP_BYTES) {
		uint64_t at = counter + CHACHA20_GROUP_BLOCKS * i;

		if (defects[set].carry)
			at = (counter & ~UINT64_C(0xffffffff)) | (uint32_t)at;
		sound(out, 1, key, at, nonce);
		if (defects[set].block && i == defects[set].wrong_block / CHACHA20_GROUP_BLOCKS)
			out[64 * 15 + 4 * (defects[set].wrong_block % CHACHA20_GROUP_BLOCKS) + 3] ^=
				0x80;
	}
}

#define SET(name, ...)                                                                           \
	void chacha20_##name(uint8_t *out, size_t groups, const uint8_t key[CHACHA20_KEY_BYTES], \
			     uint64_t counter, uint64_t nonce)                                   \
	{                                                                                        \
		compute_wrong(SET_##name, out, groups, key, counter, nonce);                     \
	}
#include "../../csrc/chacha20/sets.h"
