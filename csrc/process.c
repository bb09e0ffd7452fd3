/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "process.h"

#include "shortage.h"
#include "system_call.h"
#include "wipe_on_fork.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

_Static_assert(sizeof(struct process_page) <= 4096, "fits into the smallest page of any machine");

/* ---- the page ---- */

static _Atomic(struct process_page *) mapped_page;

static _Atomic bool tried; /* to map it */

static struct process_page *find_page(void)
{
	struct process_page *page = mapped_page, *expected = NULL;

	if (page)
		return page;
	tried = true;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	page = wipe_on_fork_map(size);
	if (!page)
		return NULL;
	/* Before others see the page: a signal handler may fork from here on, and the child, in
	 * which this is zero again, goes on here and keeps the page too. */
	page->mapped_here = true;
	if (!atomic_compare_exchange_strong(&mapped_page, &expected, page)) {
		system_munmap(page, size);
		return expected;
	}
	return page;
}

struct process_page *process_page(void)
{
	/* No further attempt here: threads without a state ask at every draw. Those who call
	 * process_has_page() know how often they do. */
	return tried ? mapped_page : find_page();
}

bool process_has_page(void)
{
	return find_page() != NULL;
}

bool process_mapped_page(void)
{
	const struct process_page *page = mapped_page;

	return page && page->mapped_here;
}

/* ---- epochs ---- */

/* In ordinary memory, so that a child does not use a number again that its parent has used. */
static _Atomic uint64_t attempts;

/* An epoch need not be secret, so it may come from a generator that is not ready. Where even that
 * is refused, the time has to do. */
static uint64_t random_epoch(uint64_t attempt)
{
	uint64_t drawn = 0;
	long size = sizeof(drawn);

	if (syscall(SYS_getrandom, &drawn, size, (long)GRND_NONBLOCK) != size &&
	    syscall(SYS_getrandom, &drawn, size, (long)GRND_INSECURE) != size) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		drawn = ((uint64_t)now.tv_sec << 30 | (uint64_t)now.tv_nsec) + (attempt << 56);
	}
	return drawn | EPOCH_BIT;
}

uint64_t process_epoch(void)
{
	struct process_page *page = process_page();

	if (!page)
		return 0;
	for (;;) {
		uint64_t epoch = page->epoch, none = 0;

		if (epoch & EPOCH_BIT)
			return epoch;
		/* In two steps, so that a fork between them is noticed: first the number of the
		 * attempt is stored, then the epoch is drawn and replaces it. In a child that was
		 * forked in between, the page is zero or has the number of a later attempt, and the
		 * replacement fails. Otherwise parent and child could have the same epoch. Threads
		 * may race here. */
		if (epoch == 0) {
			epoch = ++attempts;
			if (!atomic_compare_exchange_strong(&page->epoch, &none, epoch))
				continue;
		}
		uint64_t next = random_epoch(epoch);

		if (atomic_compare_exchange_strong(&page->epoch, &epoch, next))
			return next;
	}
}

/* ---- without epochs ---- */

#if ULONG_MAX > UINT32_MAX && defined(SYS_statx)

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define PIDFS_MAGIC 0x50494446

/* The kernel's struct statx: not every libc declares it. */
struct file {
	uint32_t mask, block_bytes;
	uint64_t attributes;
	uint32_t links, user, group, mode;
	uint64_t inode, rest[27];
};
_Static_assert(sizeof(struct file) == 256, "has the size of the kernel's");
#define STATX_INODE 0x100

static uint64_t inode_on_pidfs(int pidfd)
{
	struct statfs system;
	struct file file;

	/* Before Linux 6.9 all pidfds shared one inode, on another file system. */
	if (syscall(SYS_fstatfs, (long)pidfd, &system) || system.f_type != PIDFS_MAGIC ||
	    syscall(SYS_statx, (long)pidfd, "", (long)AT_EMPTY_PATH, (long)STATX_INODE, &file))
		return 0;
	return file.inode & ~EPOCH_BIT;
}

/* Whether the kernel has no such numbers. */
static _Atomic bool without_number;

/* The process ID will not do: process 1 of a PID namespace may fork process 1 of another one. From
 * Linux 6.9 on, pidfds have a file system of their own, on which no two processes have the same
 * inode number. Not so on 32-bit machines, where inode numbers wrap around. */
static uint64_t kernel_number(void)
{
	uint64_t number = 0;

	if (without_number)
		return 0;
	int fd = (int)syscall(SYS_pidfd_open, (long)system_getpid(), 0L);

	if (fd >= 0) {
		number = inode_on_pidfs(fd);
		system_close(fd);
	}
	if (number == 0 && (fd >= 0 || !is_shortage(errno)))
		without_number = true;
	return number;
}

#else

static uint64_t kernel_number(void)
{
	return 0;
}

#endif

uint64_t process_number(void)
{
	return process_has_page() ? process_epoch() : kernel_number();
}

uint64_t vgetrandom_process(void)
{
	int saved_errno = errno;
	uint64_t number = process_number();

	errno = saved_errno;
	return number;
}
