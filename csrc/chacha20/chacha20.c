/* Which ChaCha20 is used: chosen once per process, at the first call. */
#include "chacha20.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../environment.h"

const struct chacha20 *const chacha20_all[] = {
#if defined(__x86_64__)
	&chacha20_avx512, /* 32 blocks at a time */
	&chacha20_avx2,   /* 8 */
	&chacha20_sse2,   /* 4 */
#elif defined(__aarch64__)
	&chacha20_neon, /* 4 */
#endif
	&chacha20_portable, /* 1 */
	NULL,
};

/* What may have to be said about the choice; bit i of a set of notes stands for sentence i. The
 * first ones are in the order of VGETRANDOM_CHACHA20's values (environment.c). */
enum note {
	FAILED_PORTABLE,
	FAILED_SSE2,
	FAILED_AVX2,
	FAILED_AVX512,
	FAILED_NEON,
	LIMIT_UNKNOWN,
	LIMIT_UNUSABLE,
	NOTES,
};

static const char *const sentences[NOTES] = {
	"ChaCha20 portable failed its known-answer test and is not used.",
	"ChaCha20 sse2 failed its known-answer test and is not used.",
	"ChaCha20 avx2 failed its known-answer test and is not used.",
	"ChaCha20 avx512 failed its known-answer test and is not used.",
	"ChaCha20 neon failed its known-answer test and is not used.",
	"VGETRANDOM_CHACHA20 is not one of portable, sse2, avx2, avx512, neon: ignored.",
	"VGETRANDOM_CHACHA20 names an instruction set that cannot be used here: ignored.",
};

/* The known answer: a checksum of three stretches of keystream under the key 0, 1, 2, ... 31.
 * tests/test_chacha20.py computes the same from another implementation. Every set gets to do full
 * passes and parts of them, and the low word of the counter overflows inside both. */
#define STRETCH_BLOCKS 37
static const struct {
	size_t blocks;
	uint64_t counter;
} stretches[] = {
	{ STRETCH_BLOCKS, 0xfffffffb },
	{ 19, 0x1fffffffe },
	{ 3, 0xffffffffffffffff },
};
#define ANSWER 0x8202820931a25c08

/* FNV-1a over 32-bit words: it catches mistakes, which is all that is asked of it. */
static uint64_t checksum(uint64_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = (uint32_t)p[i] | (uint32_t)p[i + 1] << 8 |
				(uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24;
		sum = (sum ^ word) * 0x100000001b3;
	}
	return sum;
}

static bool answers(const struct chacha20 *set)
{
	uint8_t key[CHACHA20_KEY_BYTES], out[STRETCH_BLOCKS * CHACHA20_BLOCK_BYTES];
	uint64_t sum = 0xcbf29ce484222325;

	for (int i = 0; i < CHACHA20_KEY_BYTES; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(stretches) / sizeof(stretches[0]); i++) {
		set->keystream(out, stretches[i].blocks, key, stretches[i].counter);
		sum = checksum(sum, out, stretches[i].blocks * CHACHA20_BLOCK_BYTES);
	}
	return sum == ANSWER;
}

/* The first of SETS that this machine supports and that passes its known-answer test; only those
 * called NAME are tried, if NAME is given. */
static const struct chacha20 *first_sound(const struct chacha20 *const *sets, const char *name,
					  unsigned int *notes)
{
	for (; *sets; sets++) {
		if ((name && strcmp((*sets)->name, name)) || !(*sets)->supported())
			continue;
		if (answers(*sets))
			return *sets;
		for (int i = 1; env_names[ENV_CHACHA20][i]; i++)
			if (!strcmp((*sets)->name, env_names[ENV_CHACHA20][i]))
				*notes |= 1u << (i - 1);
	}
	return NULL;
}

const struct chacha20 *chacha20_choose(const struct chacha20 *const *sets, unsigned int *notes)
{
	const struct chacha20 *set = NULL;
	unsigned int wanted = env_restriction(ENV_CHACHA20);

	*notes = env_is_unknown(ENV_CHACHA20) ? 1u << LIMIT_UNKNOWN : 0;
	if (wanted) {
		set = first_sound(sets, env_names[ENV_CHACHA20][wanted], notes);
		if (!set)
			*notes |= 1u << LIMIT_UNUSABLE;
	}
	return set ? set : first_sound(sets, NULL, notes);
}

static _Atomic(const struct chacha20 *) chosen;
static atomic_uint chosen_notes;

/* No lock and no pthread_once: this may run in a signal handler that interrupted itself. Whoever
 * else is here at the same time stores the same values. */
static const struct chacha20 *choose(void)
{
	unsigned int notes;
	const struct chacha20 *set = chacha20_choose(chacha20_all, &notes);

	/* If not even plain C computes ChaCha20, there is nothing to fall back to, and what would
	 * be handed out as random must not be. */
	if (!set)
		abort();
	atomic_store_explicit(&chosen_notes, notes, memory_order_relaxed);
	atomic_store_explicit(&chosen, set, memory_order_release);
	return set;
}

const struct chacha20 *chacha20(void)
{
	const struct chacha20 *set = atomic_load_explicit(&chosen, memory_order_acquire);

	return set ? set : choose();
}

void chacha20_notes(struct notes *notes)
{
	chacha20();
	unsigned int said = atomic_load_explicit(&chosen_notes, memory_order_relaxed);

	for (int i = 0; i < NOTES; i++)
		if (said & 1u << i)
			note(notes, sentences[i]);
}
