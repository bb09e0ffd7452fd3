/* Moving more bytes than a token has: out of line, and as wide as the CPU can. */
#include "take.h"

#include "chacha20/chacha20.h"

void take_words(uint8_t *to, uint8_t *from, size_t len)
{
	take_many(to, from, len);
}

#if defined(__x86_64__)
__attribute__((target("avx"))) void take_avx(uint8_t *to, uint8_t *from, size_t len)
{
	for (; len > 64; to += 32, from += 32, len -= 32)
		take256(to, from);
	take256_to_512(to, from, len);
	/* Whoever uses the narrow registers next need not wait for the wide ones. */
	__asm__ __volatile__("vzeroupper");
}
#endif
