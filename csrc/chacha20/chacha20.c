/* SPDX-License-Identifier: MIT */
/* The choice of an instruction set, made once per process. */
#define _GNU_SOURCE
#include "chacha20.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "../environment.h"
#include "../system_call.h"
#include "cpu_x86.h"

#if defined(__x86_64__)
#define ON_X86_64(...) __VA_ARGS__
#else
#define ON_X86_64(...)
#endif
#if defined(__AARCH64EL__)
#define ON_AARCH64(...) __VA_ARGS__
#else
#define ON_AARCH64(...)
#endif

static bool always(void)
{
	return true;
}

const struct chacha20_set chacha20_sets[] = {
#define SET(set, ...) { .name = #set, __VA_ARGS__ },
#include "sets.h"
	{ .name = NULL },
};

/* What info() may have to say about the choice. A set of notes is a word: bit i is sentence i. */
enum note {
#define SET(name, ...) FAILED_##name,
#include "sets.h"
	RESTRICTION_UNKNOWN,
	RESTRICTION_UNUSABLE,
	NOTES,
};

static const char *const sentences[NOTES] = {
#define SET(name, ...) \
	[FAILED_##name] = "ChaCha20 " #name " failed its known-answer test and is not used.",
#include "sets.h"
	[RESTRICTION_UNKNOWN] = ("VGETRANDOM_CHACHA20 is not one of"
#define SET(name, ...) " " #name
#include "sets.h"
				 ": ignored."),
	[RESTRICTION_UNUSABLE] =
		("VGETRANDOM_CHACHA20 names an instruction set that cannot be used here:"
		 " ignored."),
};

_Static_assert(RESTRICTION_UNKNOWN <= ENV_VALUES, "VGETRANDOM_CHACHA20 can name every set");

/* The self test: a checksum of some runs of keystream under the key 0, 1, 2, ... 31. The low word
 * of the counter overflows within the first run and at the end of the others, and no word of
 * counter and nonce is zero in all of them. The tests compare every set with another
 * implementation. */
#define RUN_GROUPS 3
static const struct {
	size_t groups;
	uint64_t counter, nonce;
} runs[] = {
	{ RUN_GROUPS, 0x1ffffffe0, 0x0123456789abcdef },
	{ 2, 0xfffffffffffffff0, 0xfedcba9876543210 },
	{ 1, 0xfffffff0, 0 },
};
#define ANSWER 0x2796b5db9dc08017

/* FNV-1a over 32-bit words: enough to catch a mistake. */
static uint64_t checksum(uint64_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = (uint32_t)p[i] | (uint32_t)p[i + 1] << 8 |
				(uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24;
		sum = (sum ^ word) * 0x100000001b3;
	}
	return sum;
}

/* OUT has room for the longest run; see chacha20_choose(). */
static bool passes_self_test(const struct chacha20_set *set, uint8_t *out)
{
	uint8_t key[CHACHA20_KEY_BYTES];
	uint64_t sum = 0xcbf29ce484222325;

	for (int i = 0; i < CHACHA20_KEY_BYTES; i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		set->keystream(out, runs[i].groups, key, runs[i].counter, runs[i].nonce);
		sum = checksum(sum, out, runs[i].groups * CHACHA20_GROUP_BYTES);
	}
	return sum == ANSWER;
}

bool chacha20_is_supported(const struct chacha20_set *set)
{
	return set->keystream && set->is_supported();
}

static bool is_sound(const struct chacha20_set *set, uint8_t *memory, unsigned int *notes)
{
	if (!chacha20_is_supported(set))
		return false;
	if (passes_self_test(set, memory))
		return true;
	*notes |= 1u << (set - chacha20_sets);
	return false;
}

static const struct chacha20_set *first_sound(uint8_t *memory, unsigned int *notes)
{
	unsigned int wanted = env_restriction(ENV_CHACHA20);

	if (env_is_unknown(ENV_CHACHA20))
		*notes |= 1u << RESTRICTION_UNKNOWN;
	if (wanted) {
		if (is_sound(&chacha20_sets[wanted - 1], memory, notes))
			return &chacha20_sets[wanted - 1];
		*notes |= 1u << RESTRICTION_UNUSABLE;
	}
	for (const struct chacha20_set *set = chacha20_sets; set->name; set++)
		if (is_sound(set, memory, notes))
			return set;
	return NULL;
}

static _Atomic(const struct chacha20_set *) chosen;
static atomic_uint chosen_notes;

/* No lock and no pthread_once(3): a signal handler may come here while the thread that it
 * interrupted is here too. All that are here at the same time store the same values. */
bool chacha20_choose(void)
{
	const size_t bytes = RUN_GROUPS * CHACHA20_GROUP_BYTES;
	unsigned int notes = 0;

	if (atomic_load_explicit(&chosen, memory_order_relaxed))
		return true;
	/* The keystream of the test goes to memory of its own: on the stack it would be more than
	 * all else that a draw needs, and a static buffer would be shared by all that are here. */
	uint8_t *memory =
		system_mmap(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!memory)
		return false;
	const struct chacha20_set *set = first_sound(memory, &notes);

	system_munmap(memory, bytes);
	/* If not even plain C computes ChaCha20, nothing does, and wrong keystream must not be
	 * handed out as random. */
	if (!set)
		abort();
	atomic_store_explicit(&chosen_notes, notes, memory_order_relaxed);
	atomic_store_explicit(&chosen, set, memory_order_release);
	return true;
}

const struct chacha20_set *chacha20_in_use(void)
{
	return atomic_load_explicit(&chosen, memory_order_acquire);
}

void chacha20_notes(struct notes *notes)
{
	unsigned int said = atomic_load_explicit(&chosen_notes, memory_order_relaxed);

	for (int i = 0; i < NOTES; i++)
		if (said & 1u << i)
			note(notes, sentences[i]);
}
