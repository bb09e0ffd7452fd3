/* SPDX-License-Identifier: MIT */
/* The draws of a phase, by the main thread, by threads that stay and in children. */
#ifndef PHASE_DRAWS_H
#define PHASE_DRAWS_H

#include "phase_filters.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#define DRAWS 20000
#define WORDS 2000

/* Asking for the process's number takes system calls of its own where no page is wiped on fork. */
static bool asks_for_the_process = true;

/* What the phase draws from, if it is an object and not the thread. */
static struct vgetrandom_generator *generator;

static unsigned long long fallbacks(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	return stats.fallbacks;
}

static void prepare(void)
{
	if (vgetrandom_prepare())
		fail("vgetrandom_prepare: errno %d", errno);
}

/* Everything that a thread does with the library, often. */
static void draw_often(int draws)
{
	static _Thread_local unsigned char buf[LARGEST_DRAW];

	for (int i = 0; i < draws; i++)
		if (vgetrandom(buf, 16, 0) != 16)
			fail("vgetrandom failed: errno %d", errno);
	record(buf, 16);
	for (size_t size = 32; size <= sizeof(buf); size *= 2)
		draw(size);
	if (vgetrandom(buf, 16, GRND_NONBLOCK) != 16)
		fail("GRND_NONBLOCK failed: errno %d", errno);
	record(buf, 16);
	vgetrandom_reseed(NULL, 0);
	draw(16);
	if (asks_for_the_process)
		vgetrandom_process();
	fallbacks();
}

/* Everything that is done with an object. */
static void draw_words(void)
{
	uint64_t words[2];

	for (int i = 0; i < WORDS; i++) {
		words[0] = vgetrandom_generator_u64(generator);
		words[1] = vgetrandom_generator_u32(generator);
		if (vgetrandom_generator_double(generator) >= 1)
			fail("a double of 1");
		if (i == WORDS / 2)
			vgetrandom_reseed(NULL, 0);
	}
	words[1] = vgetrandom_generator_u64(generator);
	record((unsigned char *)words, sizeof(words));
}

/* ---- in threads ---- */

static void *(*work)(void *);
static atomic_bool over;

/* A thread's end is libc's doing: its calls would have to be allowed by a filter, too. */
static void *run_and_stay(void *arg)
{
	struct timespec second = { .tv_sec = 1 };

	work(NULL);
	over = true;
	while (filtered)
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &second, NULL);
	return arg;
}

static void draw_in_thread(void *(*draws)(void *))
{
	pthread_t thread;

	work = draws;
	over = false;
	if (pthread_create(&thread, NULL, run_and_stay, NULL) || pthread_detach(thread))
		fail("no thread");
	while (!over)
		usleep(1000);
}

static void *draw_once(void *arg)
{
	draw(16);
	return arg;
}

/* Those that come with the first one (SLOTS_PER_SLAB), by threads that stay. */
#define STATES 15

static pthread_barrier_t all_have_drawn;

static void *draw_and_stay(void *arg)
{
	draw(16);
	pthread_barrier_wait(&all_have_drawn);
	pause();
	return arg;
}

/* The next thread that draws needs memory that is not mapped yet. */
static void take_all_states(void)
{
	pthread_t thread;

	pthread_barrier_init(&all_have_drawn, NULL, STATES);
	draw(16);
	for (int i = 1; i < STATES; i++)
		if (pthread_create(&thread, NULL, draw_and_stay, NULL))
			fail("no thread");
	pthread_barrier_wait(&all_have_drawn);
}

/* ---- in children ---- */

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Draws in a child whose first draw is under the filter, and ends as the child did, if badly. */
static void draw_in_child_of(pid_t (*make_child)(void))
{
	pid_t pid = make_child();
	int status;

	if (pid == 0) {
		allow_only(after_a_fork);
		if (generator)
			draw_words();
		else
			draw_often(DRAWS);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		fail("no child");
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	if (status)
		_exit(WEXITSTATUS(status));
}

static void *draw_in_child(void *arg)
{
	draw_in_child_of(fork);
	return arg;
}

#endif
