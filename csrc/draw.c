/* SPDX-License-Identifier: MIT */
/* The draw protocol: how a request gets its bytes. Three rules make it safe:
 *
 * - A draw takes the state out of the thread's record. A signal handler that interrupts it finds no
 *   state there and asks the kernel instead.
 * - It checks the state's generation after its last use of the page. Whatever can happen to the
 *   page (a drop, a fork, a reseed) changes the generation, and can happen between any two
 *   instructions, so a check before the use would prove nothing.
 * - A draw that fails the check is redone as a whole, since none of its bytes can be trusted: once
 *   from the state, then by the kernel.
 *
 * draw.pml states the same as a state machine, for a model checker.
 */
#define _GNU_SOURCE
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "chacha20/chacha20.h"
#include "copy_and_erase.h"
#include "counters.h"
#include "draw.h"
#include "from_kernel.h"
#include "refill.h"
#include "reseed.h"
#include "state.h"
#include "states.h"
#include "wipe.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/random.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- from the state ---- */

/* Copies up to LEN bytes of the batch and returns how many; 0 if it cannot be refilled.
 * `available` is read once and bounded before it is used: were it read twice, a drop in between
 * could make the second value another than the one that was checked. */
static size_t copy_from_batch(struct state *state, uint8_t *buf, size_t len, unsigned int flags)
{
	uint32_t available = READ_ONCE(state->available);

	if (available == 0 || available > BATCH_BYTES) {
		if (!refill(state, flags))
			return 0;
		available = BATCH_BYTES;
	}
	if (len > available)
		len = available;
	uint8_t *from = state->batch + BATCH_BYTES - available;

	state->available = available - (uint32_t)len;
	if (len <= INLINE_BYTES)
		copy_and_erase(buf, from, len);
	else
		chacha20_in_use()->copy_and_erase(buf, from, len);
	return len;
}

/* Fills BUF with keystream under a key of its own, derived from 32 bytes of the batch and fresh
 * entropy. */
static bool fill_in_bulk(struct state *state, uint8_t *buf, size_t bytes, unsigned int flags)
{
	uint32_t available = READ_ONCE(state->available);

	if (available < CHACHA20_KEY_BYTES || available > BATCH_BYTES) {
		if (!refill(state, flags))
			return false;
		available = BATCH_BYTES;
	}
	uint8_t *secret = state->batch + BATCH_BYTES - available;

	if (!derive_key(state, secret, flags))
		return false;
	wipe(secret, CHACHA20_KEY_BYTES);
	state->available = available - CHACHA20_KEY_BYTES;
	keystream_counted(state, buf, bytes);
	return true;
}

/* False if the attempt has failed. Each bulk chunk is checked by itself, so that a large request
 * does not go on for megabytes with a state that is gone. */
static bool fill_from_state(struct state *state, uint8_t *buf, size_t len, unsigned int flags)
{
	while (len >= BULK_MIN_BYTES) {
		size_t bytes = len < BULK_BYTES ? len - len % BULK_GRAIN_BYTES : BULK_BYTES;

		if (!fill_in_bulk(state, buf, bytes, flags) || !is_current(state))
			return false;
		buf += bytes;
		len -= bytes;
	}
	while (len) {
		size_t bytes = copy_from_batch(state, buf, len, flags);

		if (bytes == 0)
			return false;
		buf += bytes;
		len -= bytes;
	}
	return true;
}

enum draw_result {
	DRAW_DONE,
	DRAW_RETRY,     /* no byte of it is valid: the kernel must serve it */
	DRAW_NOT_READY, /* the kernel's generator is not ready; errno is getrandom(2)'s */
};

static enum draw_result draw_from_state(struct slot *slot, void *buf, size_t len,
					unsigned int flags)
{
	struct state *state = slot->state;

	/* One retry: a page that is dropped over and over must not become a loop. */
	for (int attempt = 0; attempt < 2; attempt++) {
		/* EINTR, EAGAIN: a signal ended the wait for the kernel's generator, or the caller
		 * does not want to wait. To ask the kernel again would be to wait again. */
		if (!is_current(state) && !reseed(slot, flags))
			return errno == EINTR || errno == EAGAIN ? DRAW_NOT_READY : DRAW_RETRY;
		bool filled = fill_from_state(state, buf, len, flags);

		read_barrier();
		if (filled && is_current(state))
			return DRAW_DONE;
	}
	return DRAW_RETRY;
}

/* ---- requests ---- */

/* The same check as getrandom(2)'s. GRND_RANDOM and GRND_INSECURE exclude each other: one waits
 * until the kernel's generator is ready, the other never does. */
static bool flags_are_known(unsigned int flags)
{
	const unsigned int sources = GRND_RANDOM | GRND_INSECURE;

	return !(flags & ~(sources | GRND_NONBLOCK)) && (flags & sources) != sources;
}

static bool or_from_kernel(enum draw_result drawn, void *buf, size_t len, unsigned int flags)
{
	if (drawn != DRAW_RETRY)
		return drawn == DRAW_DONE;
	count(&counters()->fallbacks);
	return draw_from_kernel(buf, len, flags);
}

bool draw_from_slot(struct slot *slot, void *buf, size_t len, unsigned int flags)
{
	enum draw_result drawn = slot ? draw_from_state(slot, buf, len, flags) : DRAW_RETRY;

	return or_from_kernel(drawn, buf, len, flags);
}

static bool draw(void *buf, size_t len, unsigned int flags)
{
	if (flags & (GRND_RANDOM | GRND_INSECURE))
		return draw_from_kernel(buf, len, flags);

	struct state *state = state_check_out();
	enum draw_result drawn =
		state ? draw_from_state(this_thread.slot, buf, len, flags) : DRAW_RETRY;

	if (state)
		state_check_in(state);
	return or_from_kernel(drawn, buf, len, flags);
}

/* Everything but the plain case. Not inlined: the plain case would have to save registers for it.
 */
static __attribute__((noinline)) ssize_t handle_request(void *buf, size_t len, unsigned int flags)
{
	int saved_errno = errno;

	if (!flags_are_known(flags) || len > SSIZE_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (len > 0 && !draw(buf, len, flags)) {
		wipe(buf, len);
		return -1;
	}
	/* System calls that are allowed to fail (mlock2(2), say) have changed it. */
	errno = saved_errno;
	return (ssize_t)len;
}

ssize_t vgetrandom(void *buf, size_t len, unsigned int flags)
{
	struct state *state = this_thread.state;

	/* Not joined by ||: gcc would evaluate all three before it branches. */
	if (unlikely(flags))
		return handle_request(buf, len, flags);
	if (unlikely(len > INLINE_BYTES))
		return handle_request(buf, len, 0);
	if (unlikely(!state))
		return handle_request(buf, len, 0);

	/* The plain case: a small request that the batch can serve. If anything is unusual,
	 * handle_request() starts over. */
	this_thread.state = NULL;
	barrier();
	uint32_t available = READ_ONCE(state->available);
	bool drawn = false;

	if (likely(len <= available) && likely(available <= BATCH_BYTES)) {
		state->available = available - (uint32_t)len;
		copy_and_erase(buf, state->batch + BATCH_BYTES - available, len);
		read_barrier();
		drawn = is_current(state);
	}
	state_check_in(state);
	return likely(drawn) ? (ssize_t)len : handle_request(buf, len, 0);
}
