/* SPDX-License-Identifier: MIT */
/* What a process may have to do without: memory, descriptors, /proc, pthread keys. What is taken
 * away can be given back, since shortages pass. */
#ifndef PHASE_SURROUNDINGS_H
#define PHASE_SURROUNDINGS_H

#include "draws.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit before;

static void take_away(int resource)
{
	struct rlimit none;

	getrlimit(resource, &before);
	none = before;
	none.rlim_cur = 0;
	if (setrlimit(resource, &none))
		fail("setrlimit: errno %d", errno);
}

static void give_back(int resource)
{
	if (setrlimit(resource, &before))
		fail("setrlimit: errno %d", errno);
}

/* Under a limit of address space the stack could not grow. */
static void touch_stack(void)
{
	volatile char room[65536];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = 1;
}

static void enter_empty_root(const char *directory)
{
	/* Root may, and whoever may be root in a namespace of their own. */
	if (chroot(directory) && (unshare(CLONE_NEWUSER) || chroot(directory)))
		skip("this user may not chroot(2)");
	if (chdir("/"))
		fail("chdir: errno %d", errno);
}

/* Under mlockall(2) the limit of what may be locked is one of what may be mapped: EAGAIN. */
static void lock_all_that_may_be(void)
{
	struct rlimit limit = { .rlim_cur = 8 << 20, .rlim_max = 8 << 20 };

	/* Root may lock as much as it likes. */
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || (geteuid() == 0 && setuid(65534)) ||
	    mlockall(MCL_FUTURE))
		skip("this user may not lock 8 MiB");
	while (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
}

/* The key that is given back; of those that glibc allocates nothing for. */
static pthread_key_t first_key;

/* Before the library's constructor, which has no priority, as all of those have that come last. */
__attribute__((constructor(102))) static void use_up_keys(void)
{
	pthread_key_t key;

	/* From the environment, since musl gives constructors no arguments. */
	if (!getenv("USE_UP_PTHREAD_KEYS"))
		return;
	pthread_key_create(&first_key, NULL);
	while (pthread_key_create(&key, NULL) == 0)
		;
}

#endif
