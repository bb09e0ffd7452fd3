/* SPDX-License-Identifier: MIT */
/* What the kernel itself does with droppable memory: when memory is short, and when a process has
 * asked for all of its memory to be locked. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vgetrandom.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGES 64
#define MIB (1024 * 1024)

static unsigned char *map_droppable(size_t page)
{
	unsigned char *pages = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
				    MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	memset(pages, 1, PAGES * page);
	return pages;
}

static int dropped(const unsigned char *pages, size_t page)
{
	int count = 0;

	for (size_t i = 0; i < PAGES; i++)
		count += pages[i * page] == 0;
	return count;
}

static uint64_t wiped(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	return stats.reseeds_wiped;
}

/* Whether droppable pages are pinned by it differs from kernel to kernel; that draws hold does not.
 */
void check_mlockall(void)
{
	static unsigned char drawn[2000 * DRAW_BYTES];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (mlockall(MCL_FUTURE))
		fail("mlockall: %s", strerror(errno));
	unsigned char *pages = map_droppable(page);

	if (!pages) {
		printf("@mlockall=no droppable memory\n");
	} else {
		struct mapping mapping = { 0 };
		int gone = 0;

		for (int i = 0; i < 100 && !gone; i++) {
			madvise(pages, PAGES * page, MADV_PAGEOUT);
			gone = dropped(pages, page);
			usleep(1000);
		}
		bool found = find_mapping("dp", &mapping);

		printf("@mlockall=%s\n",
		       gone ? (found && mapping.locked ? "locked, dropped" : "dropped") : "pinned");
	}
	draw_many(drawn, sizeof(drawn) / DRAW_BYTES);
	expect_unique(drawn, sizeof(drawn) / DRAW_BYTES);
}

/* Takes memory until the kernel kills it. */
static void take_memory(void)
{
	int file = open("/proc/self/oom_score_adj", O_WRONLY);

	if (file < 0 || write(file, "1000", 4) != 4)
		_exit(2);
	for (;;) {
		unsigned char *more =
			mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			_exit(3);
		memset(more, 1, MIB);
	}
}

/* Nobody asks for the page to be dropped: the kernel takes it because it needs it. A page that was
 * used lately is spared, so nothing is drawn meanwhile. */
void check_pressure(void)
{
	static unsigned char drawn[2000 * DRAW_BYTES];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), half = sizeof(drawn) / DRAW_BYTES / 2;
	unsigned char *pages = map_droppable(page);
	int gone = 0, rounds = 0;

	draw_many(drawn, half);
	uint64_t before = wiped();

	for (; rounds < (pages ? 8 : 1) && wiped() == before; rounds++) {
		pid_t child = fork();

		if (child == 0)
			take_memory();
		int status;

		waitpid(child, &status, 0);
		if (!WIFSIGNALED(status))
			fail("memory did not run out: %#x", status);
		if (pages && !gone)
			gone = dropped(pages, page);
		draw_many(drawn + half * DRAW_BYTES, half);
	}
	if (pages)
		printf("@pressure=%d of %d pages, the state %d times, in %d rounds\n", gone, PAGES,
		       (int)(wiped() - before), rounds);
	else
		printf("@pressure=no droppable memory\n");
	expect_unique(drawn, 2 * half);
	/* Where there is droppable memory, the kernel had to take it. */
	if (pages && wiped() == before)
		fail("the kernel did not take the state's page");
}
