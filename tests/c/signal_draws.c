/* SPDX-License-Identifier: MIT */
/* Draws that are interrupted many thousand times a second by a timer's handler, which draws, too.
 *
 *     signal_draws DRAWS
 */
#define _GNU_SOURCE
#include "draws.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	int saved_errno = errno;

	(void)signal;
	draw_16();
	handled++;
	errno = saved_errno;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 16, 32, 16, 48, 16, 16, 64, 16 };
	struct sigaction action = { .sa_handler = handler };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec often = { { 0, 100000 }, { 0, 100000 } }, never = { { 0, 0 }, { 0, 0 } };
	timer_t timer;
	long draws = argc > 1 ? atol(argv[1]) : 0;

	records_start((size_t)draws * 20 + 1000000);
	/* The first draw may be the handler's. */
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &often, NULL))
		return 2;
	/* Go on where a slow machine has not interrupted a draw by then. */
	for (long i = 0; i < draws || (handled < 1000 && i < 4 * draws); i++)
		draw(i % 256 ? sizes[i % 8] : 4096);
	timer_settime(timer, 0, &never, NULL);
	printf("handled=%d\n", (int)handled);
	print_stats();
	records_check();
	return 0;
}
