/* SPDX-License-Identifier: MIT */
#include "hchacha20.h"

#include "wipe.h"

#define WORDS 16
#define DOUBLE_ROUNDS 10

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> 8 * i);
}

static uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b, *d = rotl(*d ^ *a, 16);
	*c += *d, *b = rotl(*b ^ *c, 12);
	*a += *b, *d = rotl(*d ^ *a, 8);
	*c += *d, *b = rotl(*b ^ *c, 7);
}

/* Speed does not matter here, so the state is kept in an array that can be wiped. The barrier makes
 * the compiler write it back after each quarter round; otherwise it would keep the state in
 * registers and spill them to the stack, in places that C cannot name. */
ERASES_REGISTERS void hchacha20(uint8_t out[CHACHA20_KEY_BYTES],
				const uint8_t key[CHACHA20_KEY_BYTES],
				const uint8_t input[HCHACHA20_INPUT_BYTES])
{
	static const uint32_t constants[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t x[WORDS];

	for (int i = 0; i < 4; i++) {
		x[i] = constants[i];
		x[4 + i] = load32(key + 4 * i);
		x[8 + i] = load32(key + 16 + 4 * i);
		x[12 + i] = load32(input + 4 * i);
	}
	for (int round = 0; round < 2 * DOUBLE_ROUNDS; round++)
		for (int i = 0, shift = round % 2; i < 4; i++) {
			barrier();
			quarter_round(&x[i], &x[4 + (i + shift) % 4], &x[8 + (i + 2 * shift) % 4],
				      &x[12 + (i + 3 * shift) % 4]);
		}
	for (int i = 0; i < 4; i++) {
		store32(out + 4 * i, x[i]);
		store32(out + 16 + 4 * i, x[12 + i]);
	}
	wipe(x, sizeof(x));
}
