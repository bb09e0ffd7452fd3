/* SPDX-License-Identifier: MIT */
/* Forks while other threads draw, in generation after generation: each child starts threads of
 * its own and forks while those draw.
 *
 *     fork_threads GENERATIONS THREADS fork|clone main|thread first|second|last
 *
 * `clone` is the bare system call, which runs no pthread_atfork(3) handlers. The main thread forks
 * or another one; and in a child the surviving thread draws before the new threads, after them, or
 * only in the last generation.
 */
#define _GNU_SOURCE
#include "draws.h"
#include "hooks.h"
#include "states_mapping.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_THREADS 16
#define MOST_GENERATIONS 200

static int generations, threads;
static bool raw, survivor_first, survivor_last;

/* How much memory the states of each generation take; shared with the children. */
static size_t *mapped;

static void *states[MOST_THREADS + 1];
static atomic_int started;
static atomic_bool stop;

static void *draws(void *arg)
{
	void **state = arg;

	draw(16);
	*state = hook_state();
	started++;
	/* Until the fork, then a few more, but not more than can be recorded. */
	for (int i = 0; !stop; i++)
		if (i < 20000)
			draw(i % 16 ? 16 : 272);
		else
			sched_yield();
	for (int i = 0; i < 10; i++)
		draw(16);
	return NULL;
}

static void expect_distinct_states(void)
{
	for (int i = 0; i <= threads; i++)
		for (int j = 0; j < i; j++)
			if (states[i] && states[i] == states[j])
				fail("two threads have one state");
}

static void generation(int number)
{
	pthread_t ids[MOST_THREADS];
	struct vgetrandom_stats stats;
	int status;

	vgetrandom_get_stats(&stats);
	if (number && stats.refills + stats.syscalls + stats.reseeds_first + stats.reseeds_wiped)
		fail("a child does not count from zero");
	if (survivor_first)
		draw(16);
	started = 0;
	stop = false;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, draws, &states[i + 1]))
			fail("no thread");
	while (started < threads)
		sched_yield();
	if (!survivor_last || number == generations)
		draw(16);
	states[0] = hook_state();
	expect_distinct_states();
	mapped[number] = states_mapped();
	if (number < generations) {
		long pid = raw ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

		if (pid < 0)
			fail("no child");
		if (pid == 0) {
			generation(number + 1);
			_exit(0);
		}
		draw(48);
		stop = true;
		if (waitpid((pid_t)pid, &status, 0) != pid || status)
			fail("the child of generation %d failed", number);
	}
	stop = true;
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	draw(16);
}

static void *all_generations(void *arg)
{
	generation(0);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 6)
		return 2;
	generations = atoi(argv[1]);
	threads = atoi(argv[2]);
	raw = !strcmp(argv[3], "clone");
	survivor_first = !strcmp(argv[5], "first");
	survivor_last = !strcmp(argv[5], "last");
	if (generations >= MOST_GENERATIONS || threads > MOST_THREADS)
		return 2;
	records_start((size_t)(generations + 1) * (size_t)threads * 50000 + 100000);
	mapped = map_shared(MOST_GENERATIONS * sizeof(*mapped));
	if (!strcmp(argv[4], "main")) {
		all_generations(NULL);
	} else if (pthread_create(&thread, NULL, all_generations, NULL) ||
		   pthread_join(thread, NULL)) {
		return 2;
	}
	printf("mapped_first=%zu\nmapped_second=%zu\nmapped_last=%zu\n", mapped[0], mapped[1],
	       mapped[generations]);
	print_stats();
	records_check();
	return 0;
}
