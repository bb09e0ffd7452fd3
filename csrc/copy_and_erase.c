/* SPDX-License-Identifier: MIT */
/* Moving more bytes than a token has: out of line, with the widest registers of the CPU. */
#include "copy_and_erase.h"

#include "chacha20/chacha20.h"

void copy_and_erase_words(uint8_t *to, uint8_t *from, size_t len)
{
	copy_and_erase_many(to, from, len);
}

#if defined(__x86_64__)
__attribute__((target("avx"))) void copy_and_erase_avx(uint8_t *to, uint8_t *from, size_t len)
{
	for (; len > 64; to += 32, from += 32, len -= 32)
		move_word256(to, from);
	move_word256_to_512(to, from, len);
	/* Without this, SSE code that runs next would pay the AVX-SSE transition penalty. */
	__asm__ __volatile__("vzeroupper");
}
#endif
