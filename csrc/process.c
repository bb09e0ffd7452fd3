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

_Static_assert(sizeof(struct process_page) <= 4096, "it fits into the smallest page there is");

/* ---- the page ---- */

static _Atomic(struct process_page *) the_page;

/* Whether there was an attempt to have it, and the epoch of the process that succeeded. */
static _Atomic bool tried;
static _Atomic uint64_t mapped_in;

static struct process_page *find_page(void)
{
	struct process_page *page = the_page, *expected = NULL;

	if (page)
		return page;
	tried = true;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	page = wipe_on_fork_map(size);
	if (!page)
		return NULL;
	if (!atomic_compare_exchange_strong(&the_page, &expected, page)) {
		system_munmap(page, size);
		return expected;
	}
	mapped_in = process_epoch();
	return page;
}

struct process_page *process_page(void)
{
	/* Asked for at every draw of some threads, it does not try again what passes: that is for
	 * process_has_page(), and so for those who know how often they try. */
	return tried ? the_page : find_page();
}

bool process_has_page(void)
{
	return find_page() != NULL;
}

bool process_mapped_page(void)
{
	return the_page && mapped_in == process_epoch();
}

/* ---- epochs ---- */

/* In ordinary memory, so that a child counts on from where its parent was. */
static _Atomic uint64_t attempts;

/* Not one of the draws, and no secret: it may come from a generator that is not ready. Where even
 * that is refused, the moment has to do. */
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
	return drawn | EPOCH;
}

uint64_t process_epoch(void)
{
	struct process_page *page = process_page();

	if (!page)
		return 0;
	for (;;) {
		uint64_t epoch = page->epoch, none = 0;

		if (epoch & EPOCH)
			return epoch;
		/* Two steps, so that a fork in the middle of them is noticed: the epoch is drawn
		 * after the first, and the second fails in the child, where the page is zero again
		 * or has the number of an attempt that began after the fork. Threads may race
		 * through here. */
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

/* The kernel's struct statx, which not every libc has. */
struct file {
	uint32_t mask, block_bytes;
	uint64_t attributes;
	uint32_t links, user, group, mode;
	uint64_t inode, rest[27];
};
_Static_assert(sizeof(struct file) == 256, "as large as the kernel's");
#define STATX_INODE 0x100

static uint64_t inode_on_pidfs(int pidfd)
{
	struct statfs system;
	struct file file;

	/* Before Linux 6.9 all pidfds were one inode of another file system. */
	if (syscall(SYS_fstatfs, (long)pidfd, &system) || system.f_type != PIDFS_MAGIC ||
	    syscall(SYS_statx, (long)pidfd, "", (long)AT_EMPTY_PATH, (long)STATX_INODE, &file))
		return 0;
	return file.inode & ~EPOCH;
}

/* Whether the kernel gives no such number: asked once. */
static _Atomic bool without_number;

/* Process IDs will not do: process 1 of a PID namespace has a child who is process 1 of another
 * one. From Linux 6.9 on pidfds are files of a file system of their own, and the inode is a number
 * that no two processes have. Not where numbers have 32 bits: there it comes round. */
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
