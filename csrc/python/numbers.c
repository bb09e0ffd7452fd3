/* SPDX-License-Identifier: MIT */
#include "numbers.h"

#include "words.h"

#include <string.h>

static bool convert_nothing(char *piece, size_t count, const struct numbers *numbers)
{
	(void)piece, (void)count, (void)numbers;
	return true;
}

/* Converts several words at once. Only AVX-512 can convert vectors of 64-bit integers, so this does
 * without: the upper 21 and the lower 32 bits are put at the ends of the mantissas of 2^84 and
 * 2^52, and those are then subtracted. No step rounds. */
typedef uint64_t words_t __attribute__((vector_size(32)));
typedef double doubles_t __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) void words_to_doubles(char *piece, size_t count)
{
	const size_t lanes = sizeof(words_t) / sizeof(uint64_t);
	size_t i = 0;

	for (; i + lanes <= count; i += lanes) {
		words_t words;

		memcpy(&words, piece + i * sizeof(uint64_t), sizeof(words));
		words >>= 11;
		words_t high = (words >> 32) | 0x4530000000000000;
		words_t low = (words & 0xffffffff) | 0x4330000000000000;
		doubles_t numbers =
			(((doubles_t)high - (0x1p84 + 0x1p52)) + (doubles_t)low) * 0x1p-53;

		memcpy(piece + i * sizeof(uint64_t), &numbers, sizeof(numbers));
	}
	for (; i < count; i++) {
		uint64_t word;
		double number;

		memcpy(&word, piece + i * sizeof(word), sizeof(word));
		number = unit_double_of(word);
		memcpy(piece + i * sizeof(number), &number, sizeof(number));
	}
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void words_to_doubles_avx2(char *piece, size_t count)
{
	words_to_doubles(piece, count);
}
#endif

static bool convert_to_doubles(char *piece, size_t count, const struct numbers *numbers)
{
	(void)numbers;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		words_to_doubles_avx2(piece, count);
		return true;
	}
#endif
	words_to_doubles(piece, count);
	return true;
}

static bool convert_to_floats(char *piece, size_t count, const struct numbers *numbers)
{
	(void)numbers;
	for (size_t i = 0; i < count; i++) {
		uint32_t word;
		float number;

		memcpy(&word, piece + i * sizeof(word), sizeof(word));
		number = (float)(int32_t)(word >> 8) * 0x1p-24f;
		memcpy(piece + i * sizeof(number), &number, sizeof(number));
	}
	return true;
}

static bool another_word(void *word, size_t size)
{
	return vgetrandom(word, size, 0) == (ssize_t)size;
}

/* Lemire's method (Fast Random Integer Generation in an Interval, ACM TOMACS 29:1, 2019): the upper
 * half of word times span, unless the lower half is below 2^bits mod span: these words would make
 * some numbers more likely than others, and another one is drawn.
 *
 * If words are half as wide as numbers, they are in the second half of the piece, so that number i
 * is never written over a word that has not been read. */
#define CONVERT(name, bits, wide, number_type)                                                 \
	static bool name(char *piece, size_t count, const struct numbers *numbers)             \
	{                                                                                      \
		typedef uint##bits##_t word_type;                                              \
		const word_type span = (word_type)numbers->span;                               \
		const word_type unfair = (word_type)((word_type)(0 - span) % span);            \
		const char *words = piece + count * (sizeof(number_type) - sizeof(word_type)); \
                                                                                               \
		for (size_t i = 0; i < count; i++) {                                           \
			word_type word;                                                        \
                                                                                               \
			memcpy(&word, words + i * sizeof(word), sizeof(word));                 \
			wide product = (wide)((wide)word * span);                              \
                                                                                               \
			while (__builtin_expect((word_type)product < unfair, 0)) {             \
				if (!another_word(&word, sizeof(word)))                        \
					return false;                                          \
				product = (wide)((wide)word * span);                           \
			}                                                                      \
			number_type number = (number_type)(product >> (bits));                 \
                                                                                               \
			number = (number_type)(number + (number_type)numbers->low);            \
			memcpy(piece + i * sizeof(number), &number, sizeof(number));           \
		}                                                                              \
		return true;                                                                   \
	}
CONVERT(convert_8, 8, uint16_t, uint8_t)
CONVERT(convert_16, 16, uint32_t, uint16_t)
CONVERT(convert_32, 32, uint64_t, uint32_t)
CONVERT(convert_32_to_64, 32, uint64_t, uint64_t)
#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;
CONVERT(convert_64, 64, uint128, uint64_t)
#else
#error "no integers of 128 bits"
#endif

const struct numbers doubles = { .width = 8, .word = 8, .convert = convert_to_doubles };
const struct numbers floats = { .width = 4, .word = 4, .convert = convert_to_floats };

bool describe_integers(struct numbers *numbers)
{
	size_t width = numbers->width;
	uint64_t span = numbers->span;

	numbers->word = width;
	if (span == 0)
		numbers->convert = convert_nothing;
	else if (width == 1)
		numbers->convert = convert_8;
	else if (width == 2)
		numbers->convert = convert_16;
	else if (width == 4)
		numbers->convert = convert_32;
	else if (width == 8 && span <= UINT32_MAX)
		numbers->convert = convert_32_to_64, numbers->word = 4;
	else if (width == 8)
		numbers->convert = convert_64;
	return width == 1 || width == 2 || width == 4 || width == 8;
}
