/* SPDX-License-Identifier: MIT */
/* Generators that belong to objects. Words come from a state of the object's, as in the plain case
 * of a draw (draw.c), but the state is not taken out meanwhile: the caller's lock keeps others
 * away.
 */
#define _GNU_SOURCE
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "draw.h"
#include "states.h"
#include "system_call.h"
#include "wipe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* What a generator without a state points to: vgetrandom_generator_new() never returns NULL. */
static struct slot stateless;

static struct slot *slot_of(struct vgetrandom_generator *generator)
{
	return (struct slot *)(void *)generator;
}

struct vgetrandom_generator *vgetrandom_generator_new(void)
{
	int saved_errno = errno;
	struct slot *slot = state_claim_for_object();

	errno = saved_errno;
	return (struct vgetrandom_generator *)(void *)(slot ? slot : &stateless);
}

void vgetrandom_generator_free(struct vgetrandom_generator *generator)
{
	struct slot *slot = slot_of(generator);

	if (slot && slot != &stateless)
		slot_release(slot);
}

static _Noreturn void fail(void)
{
	static const char text[] =
		"vgetrandom: getrandom(2) failed in a generator that cannot say so\n";

	system_write(2, text, sizeof(text) - 1);
	abort();
}

/* Everything but the plain case: a word of 8 or 4 bytes. */
static __attribute__((noinline)) uint64_t draw_anew(struct slot *slot, size_t size)
{
	int saved_errno = errno;
	union {
		uint64_t of_8_bytes;
		uint32_t of_4_bytes;
	} word;

	/* EINTR: a signal ended the wait for the kernel's generator. Here there is nobody to tell.
	 */
	while (!draw_from_slot(slot == &stateless ? NULL : slot, &word, size, 0))
		if (errno != EINTR)
			fail();
	errno = saved_errno;
	uint64_t drawn = size == sizeof(uint64_t) ? word.of_8_bytes : word.of_4_bytes;

	wipe(&word, sizeof(word));
	return drawn;
}

/* False if anything is unusual: WORD must not be used then. */
static inline bool copy_and_erase_word(struct state *state, void *word, size_t size)
{
	if (__builtin_expect(!state, 0))
		return false;
	uint32_t available = READ_ONCE(state->available);

	/* One comparison for SIZE <= available <= BATCH_BYTES. */
	if (__builtin_expect(available - size > BATCH_BYTES - size, 0))
		return false;
	uint8_t *from = state->batch + BATCH_BYTES - available;

	state->available = available - (uint32_t)size;
	memcpy(word, from, size);
	memset(from, 0, size);
	read_barrier();
	return __builtin_expect(is_current(state), 1);
}

static inline uint64_t draw_u64(struct slot *slot)
{
	uint64_t word;

	if (!copy_and_erase_word(slot->state, &word, sizeof(word)))
		return draw_anew(slot, sizeof(word));
	return word;
}

uint64_t vgetrandom_generator_u64(struct vgetrandom_generator *generator)
{
	return draw_u64(slot_of(generator));
}

uint32_t vgetrandom_generator_u32(struct vgetrandom_generator *generator)
{
	struct slot *slot = slot_of(generator);
	uint32_t word;

	if (!copy_and_erase_word(slot->state, &word, sizeof(word)))
		return (uint32_t)draw_anew(slot, sizeof(word));
	return word;
}

double vgetrandom_generator_double(struct vgetrandom_generator *generator)
{
	return (double)(int64_t)(draw_u64(slot_of(generator)) >> 11) * 0x1p-53;
}
