/* SPDX-License-Identifier: MIT */
/* Draws in handlers that interrupt pthread_key_create(3), where no key is left for the library: a
 * draw that asked for one would wait for the lock that libc may hold there.
 *
 *     no_key HANDLERS
 */
#define _GNU_SOURCE
#include "draws.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static pthread_key_t key;

/* The library's constructor, as all without a priority, comes later. */
__attribute__((constructor(102))) static void use_up_keys(void)
{
	while (pthread_key_create(&key, NULL) == 0)
		;
}

static volatile int handled;

static void handler(int number)
{
	(void)number;
	draw_16();
	handled++;
}

int main(int argc, char **argv)
{
	int most = argc > 1 ? atoi(argv[1]) : 10;
	struct sigaction action = { .sa_handler = handler };
	struct itimerval often = { .it_interval.tv_usec = 500, .it_value.tv_usec = 500 };
	struct itimerval never = { .it_value.tv_usec = 0 };

	records_start((size_t)most * 100);
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &often, NULL))
		fail("no timer: errno %d", errno);
	while (handled < most)
		if (pthread_key_create(&key, NULL) == 0)
			fail("a key was left");
	setitimer(ITIMER_REAL, &never, NULL);
	printf("handled=%d\n", handled);
	print_stats();
	records_check();
	return 0;
}
