/* Moving served bytes out of the batch: copied and erased in one go (G2). */
#ifndef VGETRANDOM_TAKE_H
#define VGETRANDOM_TAKE_H

#include <stddef.h>
#include <stdint.h>

/* Unaligned words that may alias anything: a load and a store each, on every target. */
typedef struct __attribute__((packed, may_alias)) {
	uint16_t word;
} take16;
typedef struct __attribute__((packed, may_alias)) {
	uint32_t word;
} take32;
typedef struct __attribute__((packed, may_alias)) {
	uint64_t word;
} take64;
typedef uint64_t take128 __attribute__((vector_size(16), aligned(1), may_alias));

/* Two words that cover LEN bytes between them, overlapping if need be: both are loaded before
 * either is erased. */
#define TAKE_TWO(type, to, from, len)                                                              \
	do {                                                                                       \
		type *first = (type *)(from), *last = (type *)((from) + (len) - sizeof(type));     \
		type a = *first, b = *last;                                                        \
		*(type *)(to) = a;                                                                 \
		*(type *)((to) + (len) - sizeof(type)) = b;                                        \
		*first = *last = (type){ 0 };                                                      \
	} while (0)

/* LEN is public; small ones come first because they are the common case. */
static inline void take(uint8_t *to, uint8_t *from, size_t len)
{
	if (len > 16) {
		/* The last word is loaded before the loop can erase a part of it. */
		take128 *last = (take128 *)(from + len - 16), word = *last;

		for (size_t i = 0; i + 16 < len; i += 16) {
			take128 *next = (take128 *)(from + i);

			*(take128 *)(to + i) = *next;
			*next = (take128){ 0 };
		}
		*(take128 *)(to + len - 16) = word;
		*last = (take128){ 0 };
	} else if (len >= 8) {
		TAKE_TWO(take64, to, from, len);
	} else if (len >= 4) {
		TAKE_TWO(take32, to, from, len);
	} else if (len >= 2) {
		TAKE_TWO(take16, to, from, len);
	} else if (len) {
		*to = *from;
		*from = 0;
	}
}

#endif
