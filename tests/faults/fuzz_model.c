/* SPDX-License-Identifier: MIT */
/* Random sequences of what can happen between draws, played against a model.
 *
 * For libFuzzer: every input is a sequence of operations (see play()), two bytes or so each. They
 * are played by up to THREADS threads in turn, one operation at a time, so that an input always
 * does the same. The kernel is the scripted one. What a draw may return is computed here, from the
 * answers that the kernel has logged and with a ChaCha20 of our own; a difference is an abort().
 */
#define _GNU_SOURCE
#include "../../csrc/additional.h"
#include "../../csrc/draw.h"
#include "../../csrc/include/vgetrandom.h"
#include "../../csrc/watch.h"
#include "../c/scripted_kernel.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

#define THREADS 4
#define MAX_LEN (3 * BULK_BYTES)
#define MAX_SHORT_LEN 512 /* while the kernel's answers are short */
#define MAX_CALLS 3000    /* the log must not overflow */
#define DROP_ATTEMPTS 20

void *peek_state(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                            \
	do {                                        \
		if (!(condition))                   \
			fail(#condition, __LINE__); \
	} while (0)

static _Noreturn void fail(const char *condition, int line)
{
	fprintf(stderr, "fuzz.c:%d: not so: %s\n", line, condition);
	abort();
}

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

/* ---- the model of one thread's generator ---- */

struct model {
	bool valid;
	uint8_t key[32];
	uint8_t batch[BATCH_BYTES];
	size_t available; /* the last bytes of the batch */
};

/* The kernel's answers to one draw, as they were logged. */
struct answers {
	uint64_t next, end;
};

static const struct script_entry *next(struct answers *answers)
{
	const struct script_entry *entry = &script()->log[answers->next];

	CHECK(answers->next < answers->end);
	CHECK(entry->pid == getpid());
	answers->next++;
	return entry;
}

/* KEY becomes the key at work, from SECRET and the kernel's next answer. */
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

/* 0, or the errno that the draw must fail with: the kernel's generator is not ready. */
static int reseed(struct model *model, struct answers *answers)
{
	/* What the bytes become is tested elsewhere; that they are added, here. */
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

/* 0, or what errno must be. */
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

static int model_draw(struct model *model, uint8_t *out, size_t len, unsigned int flags,
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

/* ---- threads that take turns ---- */

struct player {
	pthread_t thread;
	bool running, leave;
	void (*task)(struct player *player);
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct model model;
	const uint8_t *state; /* where it was last seen */
	/* What the task takes. */
	size_t len;
	unsigned int flags;
};

static struct player players[THREADS]; /* the first is the main thread */

static void draw(struct player *player)
{
	static uint8_t out[MAX_LEN], expected[MAX_LEN];
	struct answers answers = { .next = script()->calls };

	memset(out, 0xa5, player->len);
	memset(expected, 0xa5, player->len);
	errno = 0;
	ssize_t result = vgetrandom(out, player->len, player->flags);
	int error = errno;

	answers.end = script()->calls;
	int expected_error =
		model_draw(&player->model, expected, player->len, player->flags, answers);

	CHECK(error == expected_error);
	CHECK(result == (error ? -1 : (ssize_t)player->len));
	CHECK(memcmp(out, expected, player->len) == 0);
	if (peek_state())
		player->state = peek_state();
}

static void drop(struct player *player)
{
	static const uint8_t zeros[4096];
	uint8_t *state = peek_state();

	if (!state)
		return;
	for (int i = 0; i < DROP_ATTEMPTS && memcmp(state, zeros, sizeof(zeros)); i++)
		madvise(state, sizeof(zeros), MADV_PAGEOUT);
	memset(state, 0, sizeof(zeros)); /* for one that resists */
	player->model.valid = false;
}

/* The child draws, in a process in which no state is valid. */
static void fork_and_draw(struct player *player)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < THREADS; i++)
			players[i].model.valid = false;
		draw(player);
		player->len = 48;
		draw(player);
		_exit(0);
	}
	/* libFuzzer's own alarm interrupts it now and then. */
	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	CHECK(status == 0);
}

static void *play_turns(void *argument)
{
	struct player *player = argument;

	pthread_mutex_lock(&player->mutex);
	for (;;) {
		while (!player->task && !player->leave)
			pthread_cond_wait(&player->changed, &player->mutex);
		if (!player->task)
			break;
		player->task(player);
		player->task = NULL;
		pthread_cond_broadcast(&player->changed);
	}
	pthread_mutex_unlock(&player->mutex);
	return NULL;
}

static void start(struct player *player)
{
	if (player == players || player->running)
		return;
	player->leave = false;
	player->model.valid = false;
	player->state = NULL;
	player->running = pthread_create(&player->thread, NULL, play_turns, player) == 0;
}

static void turn(struct player *player, void (*task)(struct player *player))
{
	if (player == players) {
		task(player);
		return;
	}
	start(player);
	CHECK(player->running);
	pthread_mutex_lock(&player->mutex);
	player->task = task;
	pthread_cond_broadcast(&player->changed);
	while (player->task)
		pthread_cond_wait(&player->changed, &player->mutex);
	pthread_mutex_unlock(&player->mutex);
}

/* Nothing of its state may be left. */
static void end(struct player *player)
{
	if (player == players || !player->running)
		return;
	pthread_mutex_lock(&player->mutex);
	player->leave = true;
	pthread_cond_broadcast(&player->changed);
	pthread_mutex_unlock(&player->mutex);
	pthread_join(player->thread, NULL);
	player->running = false;
	for (size_t i = 0; player->state && i < sizeof(struct state); i++)
		CHECK(player->state[i] == 0);
}

/* ---- operations ---- */

static void invalidate_all(void)
{
	for (int i = 0; i < THREADS; i++)
		players[i].model.valid = false;
}

static void answer(int64_t answer, uint64_t after)
{
	script()->getrandom_answer = answer;
	script()->answer_after = after;
	script()->getrandom_calls = 0;
}

struct input {
	const uint8_t *data;
	size_t left;
};

static unsigned int take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->data++;
}

static size_t take_len(struct input *input)
{
	static const size_t near[] = { 0,
				       BATCH_BYTES,
				       BULK_MIN_BYTES,
				       INLINE_BYTES,
				       BULK_BYTES,
				       BULK_MIN_BYTES + BULK_GRAIN_BYTES,
				       2 * BULK_BYTES };
	unsigned int kind = take(input);
	size_t len = take(input);

	if (kind < 128)
		return len;
	if (kind < 160)
		len += near[kind % (sizeof(near) / sizeof(near[0]))] - 64;
	else if (kind < 240)
		len = len * 16 + kind % 16;
	else
		len = len * 700 + kind;
	return len > (size_t)-4096 || len > MAX_LEN ? 0 : len;
}

static void play(struct input *input)
{
	static const int errors[] = { EINTR, EAGAIN, ENOSYS, EPERM };
	static const unsigned int flags[] = { GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE, 64 };
	unsigned int operation = take(input);
	struct player *player = &players[(operation >> 6) % THREADS];

	operation &= 63;
	player->flags = 0;
	if (operation < 32 || operation >= 62) { /* draw, now and then with flags */
		player->len = take_len(input);
		if (operation >= 28 && operation < 32)
			player->flags = flags[operation - 28];
		if (script()->getrandom_answer > 0 && player->len > MAX_SHORT_LEN)
			player->len = MAX_SHORT_LEN;
		turn(player, draw);
	} else if (operation < 36) {
		turn(player, drop);
	} else if (operation < 39) {
		player->len = take_len(input) % (2 * BATCH_BYTES);
		if (script()->getrandom_answer > 0)
			player->len %= MAX_SHORT_LEN;
		/* Where the kernel fails, the child's first draw does too: no matter. */
		turn(player, fork_and_draw);
	} else if (operation < 42) {
		script_reseed_kernel(script()->generation + 1);
		if (strcmp(watch_name(), "vdso-generation") == 0)
			invalidate_all();
	} else if (operation < 44) {
		vgetrandom_reseed(input->data, operation == 42 ? input->left % 40 : 0);
		invalidate_all();
	} else if (operation < 46) {
		end(player);
	} else if (operation < 50) { /* getrandom fails */
		answer(-errors[operation - 46], take(input) % 4);
	} else if (operation < 53) { /* ... or answers short */
		answer(1 + take(input) % 40, take(input) % 4);
	} else if (operation < 60) {
		answer(0, 0);
	} else {
		script()->has_vdso = operation & 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;
	struct input input = { data, size };

	if (!begun) {
		for (int i = 0; i < THREADS; i++) {
			pthread_mutex_init(&players[i].mutex, NULL);
			pthread_cond_init(&players[i].changed, NULL);
		}
		begun = true;
	}
	script()->calls = 0;
	script()->seed = size;
	script()->has_vdso = 1;
	answer(0, 0);
	vgetrandom_reseed(NULL, 0);
	invalidate_all();
	while (input.left && script()->calls < MAX_CALLS)
		play(&input);
	for (int i = 1; i < THREADS; i++)
		end(&players[i]);
	return 0;
}
