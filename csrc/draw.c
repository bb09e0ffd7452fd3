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

#include "additional.h"
#include "chacha20/chacha20.h"
#include "clock.h"
#include "copy_and_erase.h"
#include "counters.h"
#include "draw.h"
#include "kernel.h"
#include "process.h"
#include "state.h"
#include "states.h"
#include "system_call.h"
#include "watch.h"
#include "wipe.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* getrandom(2) is atomic up to this size once its generator is ready. */
#define KERNEL_ATOMIC_BYTES 256

/* ---- from the kernel ---- */

static ssize_t getrandom_counted(void *buf, size_t len, unsigned int flags)
{
	count(&counters()->syscalls);
	return kernel_getrandom(buf, len, flags);
}

/* The whole request, in as many PIECES as it takes. */
static bool fill_from_kernel(uint8_t *buf, size_t len, unsigned int flags, size_t *pieces)
{
	*pieces = 0;
	for (size_t done = 0; done < len;) {
		ssize_t got = getrandom_counted(buf + done, len - done, flags);

		++*pieces;
		if (got > 0) {
			done += (size_t)got;
		} else if (got == 0) {
			errno = EIO;
			return false;
		} else if (errno != EINTR || done == 0) {
			return false;
		}
	}
	return true;
}

/* As one piece, or as several with no handler in between, which might fork. */
static bool fill_undisturbed(void *buf, size_t len, unsigned int flags)
{
	uint64_t before, all = ~UINT64_C(0);
	size_t pieces;
	bool blocked = system_block_signals(&all, &before) == 0, filled;

	do
		filled = fill_from_kernel(buf, len, flags, &pieces);
	while (filled && pieces > 1 && !blocked);
	if (blocked)
		system_block_signals(&before, NULL);
	return filled;
}

static bool draw_from_kernel(void *buf, size_t len, unsigned int flags)
{
	uint64_t epoch;
	size_t pieces;

	/* A child forked between two pieces would share the first. */
	do {
		epoch = process_epoch();
		if (!fill_from_kernel(buf, len, flags, &pieces))
			return false;
		if (pieces > 1 && !epoch)
			return fill_undisturbed(buf, len, flags);
	} while (len > KERNEL_ATOMIC_BYTES && epoch != process_epoch());
	return true;
}

/* ---- keys ---- */

static bool fetch_from_vdso(struct state *state)
{
	uint64_t before = kernel_generation();

	if (kernel_vdso_getrandom(state->working_key, sizeof(state->working_key), state->opaque) !=
	    (ssize_t)sizeof(state->working_key))
		return false;
	watch_observe(before, state->opaque, sizeof(state->opaque));
	return true;
}

/* Entropy of this moment into state->working_key. */
static bool fetch_entropy(struct state *state, unsigned int flags)
{
	uint32_t left = READ_ONCE(state->vdso_refills);

	if (left > 0 && fetch_from_vdso(state)) {
		state->vdso_refills = left - 1;
		return true;
	}
	if (getrandom_counted(state->working_key, sizeof(state->working_key), flags) !=
	    (ssize_t)sizeof(state->working_key))
		return false;
	state->vdso_refills = VDSO_REFILLS;
	return true;
}

/* SECRET may be anywhere in the batch. */
typedef uint64_t __attribute__((may_alias, aligned(1))) key_word;

/* The key of the next run, in state->working_key: entropy of this moment mixed with SECRET, which
 * is erased or overwritten next. Either of the two alone would make it unpredictable. */
ERASES_REGISTERS static bool
derive_key(struct state *state, const uint8_t secret[CHACHA20_KEY_BYTES], unsigned int flags)
{
	if (!fetch_entropy(state, flags))
		return false;
	for (size_t i = 0; i < CHACHA20_KEY_BYTES / sizeof(uint64_t); i++)
		((key_word *)state->working_key)[i] ^= ((const key_word *)secret)[i];
	count(&counters()->refills);
	return true;
}

static enum reseed_reason reseed_reason(const struct state *state, const struct slot *slot)
{
	uint64_t generation = atomic_load_explicit(&state->generation, memory_order_relaxed);

	if (!slot->keyed)
		return RESEED_FIRST;
	if (generation == 0)
		return RESEED_WIPED;
	return generation == REQUESTED_GENERATION ? RESEED_REQUESTED : RESEED_GENERATION;
}

/* A new key straight from the kernel; the batch is empty afterwards. False with errno set where
 * the kernel gives none. */
static bool reseed(struct slot *slot, unsigned int flags)
{
	struct state *state = slot->state;
	enum reseed_reason reason = reseed_reason(state, slot);

	states_after_fork(slot);
	wipe(state->key, KEYSTREAM_BYTES);
	state->available = 0;
	state->vdso_refills = VDSO_REFILLS;
	/* Found now, the watched word covers this key already. */
	if (watch_looking())
		fetch_from_vdso(state);
	/* Before the key is fetched: a fork or a reseed in between is noticed after the draw. The
	 * fence keeps two orders, also in the eyes of other processors:
	 * - the watched words are loaded before the key is fetched; or a key from before the kernel
	 *   reseeded could be taken for one from after it (as in lib/vdso/getrandom.c);
	 * - the generation is stored before the key is fetched and the caller's bytes are read; or
	 *   it could overwrite a request whose bytes the key has not got (vgetrandom_reseed()). */
	state->vm_generation = vm_generation();
	atomic_store_explicit(&state->generation, kernel_generation(), memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	ssize_t got = getrandom_counted(state->key, CHACHA20_KEY_BYTES, flags);

	if (got != CHACHA20_KEY_BYTES) {
		atomic_store_explicit(&state->generation, 0, memory_order_relaxed);
		if (got >= 0)
			errno = EIO;
		return false;
	}
	/* Here and nowhere else: every later key of this state comes from this one, as do the keys
	 * of bulk requests, and none is used whose beginning is not valid any more. */
	additional_add(state->key);
	slot->keyed = true;
	count(&counters()->reseeds[reason]);
	return true;
}

/* One run of keystream under the key at work, which is erased.
 *
 * In a clone of the machine all of it may happen again, with the same key, where the kernel's
 * generator was cloned too. So the clock is the nonce, and is read last: two clones part at the
 * first run that begins after they were resumed and finds their clocks apart. In one machine a key
 * has one run and one nonce: what is done again has a new key. */
static void compute(struct state *state, uint8_t *out, size_t bytes)
{
	const uint64_t nonce = clock_read(thread_needs_coarse_clock());

	chacha20_in_use()->keystream(out, bytes / CHACHA20_GROUP_BYTES, state->working_key, 0,
				     nonce);
	wipe(state->working_key, sizeof(state->working_key));
}

/* One run of keystream overwrites the key that it came from, and the batch. */
static bool refill(struct state *state, unsigned int flags)
{
	if (!derive_key(state, state->key, flags))
		return false;
	compute(state, state->key, KEYSTREAM_BYTES);
	state->available = BATCH_BYTES;
	return true;
}

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
	compute(state, buf, bytes);
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

void draw_look(void)
{
	if (!watch_looking())
		return;
	struct state *state = state_check_out();

	if (!state)
		return;
	fetch_from_vdso(state);
	wipe(state->working_key, sizeof(state->working_key));
	state_check_in(state);
}

static void request_reseed(struct state *state)
{
	atomic_store_explicit(&state->generation, REQUESTED_GENERATION, memory_order_relaxed);
}

/* What the caller did before, and the bytes, come before the marks: a thread that begins to fetch a
 * key stores its generation, fences, and then reads the bytes (reseed()). So either it sees them,
 * or its generation is overwritten by the mark and the key is fetched again. A thread that claims
 * a state meanwhile does both after the claim: where the claim is not seen here, it sees the bytes.
 * additional.pml is the same for a model checker. */
void vgetrandom_reseed(const void *additional, size_t len)
{
	int saved_errno = errno;

	if (len > 0)
		additional_give(additional, len);
	atomic_thread_fence(memory_order_seq_cst);
	states_visit(request_reseed);
	errno = saved_errno;
}

uint64_t vgetrandom_process(void)
{
	int saved_errno = errno;
	uint64_t number = process_number();

	errno = saved_errno;
	return number;
}
