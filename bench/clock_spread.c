/* SPDX-License-Identifier: MIT */
/* How far apart the clocks of copies are that are resumed at the same moment. Where nothing else
 * makes the output of cloned machines differ, this does (docs/threat-model.md).
 *
 * Pairs of forked processes, each on its own processor, stop, are continued by one signal to both,
 * and then read the clock that keystream takes its nonce from. Machines take longer to resume than
 * processes, so their clocks are further apart. n copies whose readings are spread over W ticks
 * have about n * n / 2 W pairs of equal readings.
 */
#define _GNU_SOURCE
#include "clock.h"

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 2000

/* Binds this process to a processor, with real-time priority if that is permitted. */
static void keep_to_processor(int number)
{
	const struct sched_param most = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setscheduler(0, SCHED_FIFO, &most);
}

/* Starts a process that stops at once, in a process group of its own or in that of LEADER. */
static pid_t copy(uint64_t *reading, int number, pid_t leader)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		keep_to_processor(number);
		setpgid(0, leader);
		raise(SIGSTOP);
		*reading = clock_read(false);
		_exit(0);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		errx(1, "a copy did not stop");
	return pid;
}

static int64_t apart(uint64_t *reading)
{
	pid_t leader = copy(&reading[0], 0, 0);

	copy(&reading[1], 1, leader);
	kill(-leader, SIGCONT);
	while (wait(NULL) > 0)
		;
	return (int64_t)(reading[1] - reading[0]);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double ticks_per_second(void)
{
	double begin = seconds(), end = begin;
	uint64_t first = clock_read(false);

	while (end - begin < 0.05)
		end = seconds();
	return (double)(clock_read(false) - first) / (end - begin);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A counter may advance in steps of more than one tick. */
static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

int main(void)
{
	uint64_t *reading = mmap(NULL, 2 * sizeof(*reading), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double rate = ticks_per_second();
	static int64_t ticks[PAIRS];
	int equal = 0;
	int64_t step = 0;

	if ((void *)reading == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < PAIRS; i++) {
		ticks[i] = apart(reading);
		equal += ticks[i] == 0;
		step = greatest_common_divisor(step, ticks[i]);
	}
	qsort(ticks, PAIRS, sizeof(ticks[0]), compare);
	printf("%.0f million ticks a second, in steps of %lld\n", rate / 1e6, (long long)step);
	printf("%d pairs: half of them within %lld ticks, nine tenths within %lld; %d equal\n",
	       PAIRS, (long long)(ticks[PAIRS * 3 / 4] - ticks[PAIRS / 4]),
	       (long long)(ticks[PAIRS * 19 / 20] - ticks[PAIRS / 20]), equal);
	return 0;
}
