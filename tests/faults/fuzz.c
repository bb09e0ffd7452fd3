/* SPDX-License-Identifier: MIT */
/* Random sequences of what can happen between draws, played against a model.
 *
 * For libFuzzer. Every input is a sequence of operations (see play()) of about two bytes each. Up
 * to THREADS threads play them in turn, one operation at a time, so that an input is reproducible.
 * The kernel is the scripted one. fuzz_model.c computes what a draw may return, with its own
 * ChaCha20; a difference is an abort().
 */
#define _GNU_SOURCE
#include "fuzz_model.h"

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

#define THREADS 4
#define MAX_LEN (3 * BULK_BYTES)
#define MAX_SHORT_LEN 512 /* while the kernel's answers are short */
#define MAX_CALLS 3000    /* the log must not overflow */
#define DROP_ATTEMPTS 20

void *peek_state(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	memset(state, 0, sizeof(zeros)); /* if the kernel did not drop it */
	player->model.valid = false;
}

/* The child draws. No state is valid in it. */
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
	unsigned int shape = take(input);
	size_t len = take(input);

	if (shape < 128)
		return len;
	if (shape < 160)
		len += near[shape % (sizeof(near) / sizeof(near[0]))] - 64;
	else if (shape < 240)
		len = len * 16 + shape % 16;
	else
		len = len * 700 + shape;
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
		/* The model knows, too, whether the kernel fails in the child's first draw. */
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
