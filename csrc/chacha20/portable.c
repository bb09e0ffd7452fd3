/* ChaCha20 in plain C, one block at a time: for any machine, and what the others are held against.
 */
#include "chacha20.h"
#define BURN_BYTES 512
#include "burn.h"

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)x;
	p[1] = (uint8_t)(x >> 8);
	p[2] = (uint8_t)(x >> 16);
	p[3] = (uint8_t)(x >> 24);
}

static uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

#define QUARTER_ROUND(a, b, c, d)            \
	do {                                 \
		a += b, d = rotl(d ^ a, 16); \
		c += d, b = rotl(b ^ c, 12); \
		a += b, d = rotl(d ^ a, 8);  \
		c += d, b = rotl(b ^ c, 7);  \
	} while (0)

ERASES_REGISTERS static void compute(uint8_t *out, size_t blocks,
				     const uint8_t key[CHACHA20_KEY_BYTES], uint64_t counter)
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t x[16];

	for (int i = 0; i < 8; i++)
		start[4 + i] = load32(key + 4 * i);

	for (; blocks; blocks--, counter++, out += CHACHA20_BLOCK_BYTES) {
		start[12] = (uint32_t)counter;
		start[13] = (uint32_t)(counter >> 32);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			x[i] = start[i];

		for (int i = 0; i < 10; i++) {
			QUARTER_ROUND(x[0], x[4], x[8], x[12]);
			QUARTER_ROUND(x[1], x[5], x[9], x[13]);
			QUARTER_ROUND(x[2], x[6], x[10], x[14]);
			QUARTER_ROUND(x[3], x[7], x[11], x[15]);
			QUARTER_ROUND(x[0], x[5], x[10], x[15]);
			QUARTER_ROUND(x[1], x[6], x[11], x[12]);
			QUARTER_ROUND(x[2], x[7], x[8], x[13]);
			QUARTER_ROUND(x[3], x[4], x[9], x[14]);
		}

#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			store32(out + 4 * i, x[i] + start[i]);
	}
}

static void keystream(uint8_t *out, size_t blocks, const uint8_t key[CHACHA20_KEY_BYTES],
		      uint64_t counter)
{
	compute(out, blocks, key, counter);
	burn_stack();
#if defined(__x86_64__)
	/* gcc before 11 and clang before 15 do not know what ERASES_REGISTERS asks for. */
	__asm__ __volatile__("xorl %%eax, %%eax\n\txorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\t"
			     "xorl %%esi, %%esi\n\txorl %%edi, %%edi\n\txorl %%r8d, %%r8d\n\t"
			     "xorl %%r9d, %%r9d\n\txorl %%r10d, %%r10d\n\txorl %%r11d, %%r11d"
			     :
			     :
			     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
#endif
}

static bool supported(void)
{
	return true;
}

const struct chacha20 chacha20_portable = { "portable", supported, keystream, take_words };
