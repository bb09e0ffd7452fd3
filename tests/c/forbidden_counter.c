/* SPDX-License-Identifier: MIT */
/* A process forbids itself the CPU's counter (PR_SET_TSC), and draws with a coarser clock. With the
 * argument "thread" one of its threads does so after others have drawn, and with "later" a thread
 * that has drawn itself. Exits with 77 where it cannot be forbidden.
 */
#define _GNU_SOURCE
#include "../../csrc/include/vgetrandom.h"

#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES (64 * 1024)
#define BULK (1024 * 1024)

static void forbid(void)
{
	int mode = 0;

	/* A kernel that only pretends to forbid it does not know the question. */
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) || prctl(PR_GET_TSC, &mode) ||
	    mode != PR_TSC_SIGSEGV) {
		printf("prctl(PR_SET_TSC) forbids nothing here\n");
		exit(77);
	}
}

static void *draw(void *unused)
{
	static _Thread_local unsigned char drawn[BULK];

	(void)unused;
	for (size_t done = 0; done < BATCHES; done += 16)
		if (vgetrandom(drawn + done, 16, 0) != 16)
			err(1, "vgetrandom");
	if (vgetrandom(drawn, BULK, 0) != BULK)
		err(1, "vgetrandom");
	return NULL;
}

static void *forbid_and_draw(void *unused)
{
	forbid();
	return draw(unused);
}

int main(int argc, char **argv)
{
	struct vgetrandom_info info;
	struct vgetrandom_stats stats;
	unsigned char drawn[16];
	pthread_t thread;
	int status;

	if (argc > 1 && vgetrandom(drawn, sizeof(drawn), 0) != 16)
		err(1, "vgetrandom");
	if (argc > 1 && strcmp(argv[1], "thread") == 0) {
		if (pthread_create(&thread, NULL, forbid_and_draw, NULL) ||
		    pthread_join(thread, NULL))
			errx(1, "no thread");
		return 0;
	}
	forbid();
	draw(NULL);
	if (pthread_create(&thread, NULL, draw, NULL) || pthread_join(thread, NULL))
		errx(1, "no thread");
	pid_t pid = fork();

	if (pid == 0) {
		draw(NULL);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "the child ended with %#x", (unsigned int)status);
	vgetrandom_get_info(&info);
	vgetrandom_get_stats(&stats);
	/* Fails if the kernel served draws instead. */
	return strcmp(info.memory, "none") != 0 && stats.fallbacks > 0;
}
