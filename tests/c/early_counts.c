/* SPDX-License-Identifier: MIT */
/* Something was counted while there was no memory for a page that a fork wipes. Then there is some,
 * and while vgetrandom_process() maps the page, a signal handler forks by raw clone(2). The child's
 * counts must not include its parent's, as soon as there is a page that tells the two apart.
 *
 *     early_counts
 *
 * The fork comes where the library calls the kernel for the number that it keeps in the page. This
 * program's syscall(2) takes the place of libc's, as a handler would come in between.
 */
#define _GNU_SOURCE
#include "draws.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COUNTED 3
#define DRAWN_FOR_THE_PAGE sizeof(uint64_t)

typedef long calling(long, ...);

static bool to_fork;
static pid_t child = -1;

__attribute__((visibility("default"))) long syscall(long number, ...)
{
	calling *next = (calling *)dlsym(RTLD_NEXT, "syscall");
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (to_fork && number == SYS_getrandom && a[1] == DRAWN_FOR_THE_PAGE) {
		to_fork = false;
		child = (pid_t)next(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	}
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int fallbacks(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	return (int)stats.fallbacks;
}

int main(void)
{
	struct rlimit before, none;
	uint8_t buf[16];
	int status;

	if (syscall(SYS_getpid) != getpid())
		fail("this program's syscall() does not work");
	getrlimit(RLIMIT_AS, &before);
	none = before;
	none.rlim_cur = 1;
	setrlimit(RLIMIT_AS, &none);
	for (int i = 0; i < COUNTED; i++)
		if (vgetrandom(buf, sizeof(buf), 0) != sizeof(buf))
			fail("vgetrandom failed: errno %d", errno);
	setrlimit(RLIMIT_AS, &before);
	if (fallbacks() != COUNTED)
		skip("there is memory in spite of RLIMIT_AS");
	to_fork = true;
	uint64_t number = vgetrandom_process();

	if (child == 0)
		_exit(fallbacks());
	if (!(number >> 63))
		skip("no page is wiped on fork here");
	if (child < 0)
		fail("no child");
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		fail("the child failed");
	printf("parent=%d\nchild=%d\n", fallbacks(), WEXITSTATUS(status));
	return 0;
}
