/* SPDX-License-Identifier: MIT */
/* Threads that are cancelled while they draw: every draw returns nevertheless, the thread goes on
 * to its next cancellation point, and no descriptor is leaked.
 *
 *     cancelled draw|prepare|info
 *
 * One of them makes the first draw of the process, which opens files.
 */
#define _GNU_SOURCE
#include "draws.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>

#define THREADS 20
#define MOST_DESCRIPTORS 256

static const char *what;
static bool went_on;

static int descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void *do_it(void *arg)
{
	static struct vgetrandom_info info;

	/* Pending from here on, as if another thread's had come at this moment. */
	pthread_cancel(pthread_self());
	if (!strcmp(what, "prepare") && vgetrandom_prepare())
		fail("vgetrandom_prepare failed: errno %d", errno);
	if (!strcmp(what, "info"))
		vgetrandom_get_info(&info);
	draw(16);
	draw(LARGEST_DRAW);
	went_on = true;
	pthread_testcancel();
	went_on = false;
	return arg;
}

int main(int argc, char **argv)
{
	int before = descriptors();
	pthread_t thread;
	void *result;

	if (argc != 2)
		return 2;
	what = argv[1];
	records_start(THREADS * (1 + LARGEST_DRAW / RECORD_BYTES));
	for (int i = 0; i < THREADS; i++) {
		went_on = false;
		if (pthread_create(&thread, NULL, do_it, NULL) || pthread_join(thread, &result))
			fail("no thread");
		if (!went_on || result != PTHREAD_CANCELED)
			fail("thread %d was cancelled in the middle of its draw", i);
	}
	if (descriptors() != before)
		fail("%d descriptors, %d before", descriptors(), before);
	records_check();
	return 0;
}
