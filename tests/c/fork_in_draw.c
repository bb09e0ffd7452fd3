/* SPDX-License-Identifier: MIT */
/* A signal handler forks between two pieces of a draw that the kernel serves in pieces.
 *
 *     fork_in_draw ROUNDS
 *
 * In each round parent and child finish the draw. Their results must have nothing in common, or be
 * equal: then the fork came after the last piece, which is as good as after the draw's return.
 */
#define _GNU_SOURCE
#include "draws.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define SIZE (128 * 1024)

static volatile pid_t child;
static volatile bool forked;

static void fork_once(int signal)
{
	(void)signal;
	if (!forked) {
		forked = true;
		child = fork();
	}
}

static long long microseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

/* How long the kernel takes for that many bytes. */
static long long measured(void)
{
	static unsigned char buf[SIZE];
	long long begin = microseconds();

	if (getrandom(buf, sizeof(buf), 0) != sizeof(buf))
		fail("getrandom failed: errno %d", errno);
	return microseconds() - begin;
}

/* How many of their pieces of 16 bytes are the same. */
static int in_common(const unsigned char *a, const unsigned char *b)
{
	int count = 0;

	for (size_t i = 0; i < SIZE; i += 16)
		count += !memcmp(a + i, b + i, 16);
	return count;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10, apart = 0;
	struct sigaction action = { .sa_handler = fork_once };
	unsigned char *mine = map_shared(SIZE), *theirs = map_shared(SIZE);

	sigset_t alarm, before;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < rounds; i++) {
		static unsigned char buf[SIZE];
		struct itimerval timer = { .it_value.tv_usec = 1 + measured() * (i % 8) / 8 };
		int status;

		forked = false;
		setitimer(ITIMER_REAL, &timer, NULL);
		/* The kernel serves it whatever the memory is. */
		if (vgetrandom(buf, sizeof(buf), GRND_INSECURE) != sizeof(buf))
			fail("vgetrandom failed: errno %d", errno);
		/* pause() would wait for ever for a signal that comes after the look and before it.
		 */
		sigprocmask(SIG_BLOCK, &alarm, &before);
		while (!forked)
			sigsuspend(&before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		if (child < 0)
			fail("no child");
		memcpy(child ? mine : theirs, buf, SIZE);
		if (child == 0)
			_exit(0);
		if (waitpid(child, &status, 0) != child || status)
			fail("the child failed");
		int same = in_common(mine, theirs);

		if (same == 0)
			apart++;
		else if (same < SIZE / 16)
			fail("parent and child share %d pieces of %d", same, SIZE / 16);
	}
	printf("rounds=%d\napart=%d\n", rounds, apart);
	return 0;
}
