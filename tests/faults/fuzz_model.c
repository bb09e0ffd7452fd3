/* SPDX-License-Identifier: MIT */
/* One of the independent statements of the draw protocol: it shares no code with the core. */
#define _GNU_SOURCE
#include "fuzz_model.h"

#include "../../csrc/additional.h"
#include "../../csrc/draw.h"
#include "../c/scripted_kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- ChaCha20, as in RFC 8439 with a nonce of 64 bits, in the order of docs/keystream.md ---- */

static uint32_t rotl(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *x, int a, int b, int c, int d)
{
	x[d] = rotl(x[d] ^ (x[a] += x[b]), 16);
	x[b] = rotl(x[b] ^ (x[c] += x[d]), 12);
	x[d] = rotl(x[d] ^ (x[a] += x[b]), 8);
	x[b] = rotl(x[b] ^ (x[c] += x[d]), 7);
}

static void keystream(uint8_t *out, size_t len, const uint8_t key[32], uint64_t nonce)
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];

	memcpy(start + 4, key, 32);
	memcpy(start + 14, &nonce, 8);
	for (uint8_t *group = out; group < out + len; start[12]++) {
		memcpy(x, start, sizeof(x));
		for (int round = 0; round < 20; round++)
			for (int i = 0; i < 4; i++) {
				int shift = round % 2;

				quarter(x, i, 4 + (i + shift) % 4, 8 + (i + 2 * shift) % 4,
					12 + (i + 3 * shift) % 4);
			}
		for (int i = 0; i < 16; i++)
			x[i] += start[i];
		for (int i = 0; i < 16; i++)
			memcpy(group + 64 * i + 4 * (start[12] % 16), x + i, 4);
		if (start[12] % 16 == 15)
			group += 1024;
	}
}

/* ---- the model ---- */

static const struct script_entry *next(struct answers *answers)
{
	const struct script_entry *entry = &script()->log[answers->next];

	CHECK(answers->next < answers->end);
	CHECK(entry->pid == getpid());
	answers->next++;
	return entry;
}

/* Makes KEY, a working key, of SECRET and the kernel's next answer. */
static bool mix(uint8_t key[32], const uint8_t secret[32], struct answers *answers)
{
	uint64_t n = answers->next;
	const struct script_entry *entry = next(answers);

	CHECK(entry->len == 32);
	for (int i = 0; i < 32; i++)
		key[i] = secret[i] ^ script_byte(script()->seed, n, (uint64_t)i);
	return entry->answer == 32;
}

/* The clock is read after the answer that the key was made of, and before the next. */
static uint64_t nonce(const struct answers *answers)
{
	return script_clock(script()->clock, answers->next);
}

static bool refill(struct model *model, struct answers *answers)
{
	uint8_t key[32], stream[KEYSTREAM_BYTES];

	if (!mix(key, model->key, answers))
		return false;
	keystream(stream, sizeof(stream), key, nonce(answers));
	memcpy(model->key, stream, 32);
	memcpy(model->batch, stream + 32, BATCH_BYTES);
	model->available = BATCH_BYTES;
	return true;
}

static bool serve_bulk(struct model *model, uint8_t *out, size_t len, struct answers *answers)
{
	uint8_t key[32], *secret;

	if (model->available < 32 && !refill(model, answers))
		return false;
	secret = model->batch + BATCH_BYTES - model->available;
	if (!mix(key, secret, answers))
		return false;
	model->available -= 32;
	keystream(out, len, key, nonce(answers));
	return true;
}

static bool serve(struct model *model, uint8_t *out, size_t len, struct answers *answers)
{
	while (len >= BULK_MIN_BYTES) {
		size_t bytes = len < BULK_BYTES ? len - len % BULK_GRAIN_BYTES : BULK_BYTES;

		if (!serve_bulk(model, out, bytes, answers))
			return false;
		out += bytes;
		len -= bytes;
	}
	while (len) {
		if (!model->available && !refill(model, answers))
			return false;
		size_t bytes = len < model->available ? len : model->available;

		memcpy(out, model->batch + BATCH_BYTES - model->available, bytes);
		model->available -= bytes;
		out += bytes;
		len -= bytes;
	}
	return true;
}

/* Returns 0, or the errno that the draw must fail with because the kernel is not ready. */
static int reseed(struct model *model, struct answers *answers)
{
	/* How reseed() makes these of a caller's bytes is tested elsewhere
	 * (tests/core/test_protocol.py); that they go into the key is tested here. */
	const uint8_t *pool = (const uint8_t *)additional_pool();
	uint64_t n;
	const struct script_entry *entry;

	/* One look for the watched word may come first. */
	if (script()->log[answers->next].source == SCRIPT_VDSO)
		next(answers);
	n = answers->next;
	entry = next(answers);
	CHECK(entry->source == SCRIPT_GETRANDOM && entry->len == 32);
	model->available = 0;
	model->valid = entry->answer == 32;
	for (int i = 0; i < 32; i++)
		model->key[i] = script_byte(script()->seed, n, (uint64_t)i) ^ pool[i];
	return entry->answer == -EINTR || entry->answer == -EAGAIN ? (int)-entry->answer : 0;
}

/* Returns 0, or what errno must be. */
static int from_kernel(uint8_t *out, size_t len, struct answers *answers)
{
	for (size_t done = 0; done < len;) {
		uint64_t n = answers->next;
		const struct script_entry *entry = next(answers);

		CHECK(entry->source == SCRIPT_GETRANDOM && entry->len == len - done);
		if (entry->answer < 0 && (entry->answer != -EINTR || done == 0)) {
			memset(out, 0, len);
			return (int)-entry->answer;
		}
		for (int64_t i = 0; i < entry->answer; i++)
			out[done++] = script_byte(script()->seed, n, (uint64_t)i);
	}
	return 0;
}

int model_draw(struct model *model, uint8_t *out, size_t len, unsigned int flags,
	       struct answers answers)
{
	int error = 0;
	bool drawn = false;

	if (flags & ~(unsigned int)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		error = EINVAL;
	else if (flags & (GRND_RANDOM | GRND_INSECURE))
		error = from_kernel(out, len, &answers);
	else if (len > 0) {
		for (int attempt = 0; attempt < 2 && !drawn; attempt++) {
			if (!model->valid)
				error = reseed(model, &answers);
			if (!model->valid)
				break;
			drawn = serve(model, out, len, &answers);
			/* Served, and yet the kernel was asked again: the watched word was found
			 * meanwhile, so that the key counted as old. */
			if (drawn && answers.next < answers.end) {
				model->valid = false;
				drawn = false;
			}
		}
		if (error)
			memset(out, 0, len);
		else if (!drawn)
			error = from_kernel(out, len, &answers);
	}
	CHECK(answers.next == answers.end);
	return error;
}
