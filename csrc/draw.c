/* SPDX-License-Identifier: MIT */
/* The draw protocol: from a request to its bytes.
 *
 * What makes it hold: the state is out of the thread's record while a draw uses it, so nothing
 * that interrupts the draw touches it; its generation is looked at after the last use, because
 * whatever happens to the page (a drop, a fork, a request to reseed) changes that; and a draw that
 * fails this check is done again as a whole, once, and then by the kernel. draw.pml is the same as
 * a state machine, for a model checker.
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

/* Bytes of the batch, at most LEN and at least one; 0 where it cannot be refilled. The page may be
 * dropped at any time, so what is available is read once and bounded before it is used. */
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

/* BYTES bytes straight into BUF, under a key that the batch and the kernel give for this alone. */
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
	compute_keystream(state, buf, bytes);
	return true;
}

/* False where the attempt has failed already. */
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
	DRAW_RETRY,     /* nothing of it is valid: once more, and then by the kernel */
	DRAW_NOT_READY, /* the kernel's generator is not: errno says how getrandom(2) put it */
};

static enum draw_result draw_from_state(struct slot *slot, void *buf, size_t len,
					unsigned int flags)
{
	struct state *state = slot->state;

	/* One retry: a page that is dropped over and over must not become a loop. */
	for (int attempt = 0; attempt < 2; attempt++) {
		/* EINTR, EAGAIN: a signal ended the wait for the kernel's generator, or the caller
		 * does not want to wait. Asking again would wait again. */
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

/* As getrandom(2) has it: the two are different answers to the same question. */
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

/* All of BUF, from wherever it can be had. */
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

/* All but the plain case. Not inlined: it would cost the plain case its registers. */
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
	/* Much of what is tried on the way may fail. */
	errno = saved_errno;
	return (ssize_t)len;
}

ssize_t vgetrandom(void *buf, size_t len, unsigned int flags)
{
	struct state *state = this_thread.state;

	/* One by one: joined, gcc computes them all before it branches. */
	if (unlikely(flags))
		return handle_request(buf, len, flags);
	if (unlikely(len > INLINE_BYTES))
		return handle_request(buf, len, 0);
	if (unlikely(!state))
		return handle_request(buf, len, 0);

	/* The plain case: a small request, served from the batch, validated after the last use of
	 * the page. Whatever is unusual, handle_request() does all of it again. */
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
