/* SPDX-License-Identifier: MIT */
/* What must hold on every kernel. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vgetrandom.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define MIB (1024 * 1024)

static unsigned char drawn[MIB];

static void draw(void *buf, size_t len)
{
	if (vgetrandom(buf, len, 0) != (ssize_t)len)
		fail("vgetrandom: %s", strerror(errno));
}

void draw_many(unsigned char *into, size_t draws)
{
	for (size_t i = 0; i < draws; i++)
		draw(into + i * DRAW_BYTES, DRAW_BYTES);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, DRAW_BYTES);
}

void expect_unique(unsigned char *values, size_t draws)
{
	qsort(values, draws, DRAW_BYTES, compare);
	for (size_t i = 1; i < draws; i++)
		if (!compare(values + (i - 1) * DRAW_BYTES, values + i * DRAW_BYTES))
			fail("two draws are the same");
}

static struct vgetrandom_stats stats(void)
{
	struct vgetrandom_stats now;

	vgetrandom_get_stats(&now);
	return now;
}

static const char *watch(void)
{
	struct vgetrandom_info info;

	vgetrandom_get_info(&info);
	return info.watch;
}

static const char *memory(void)
{
	struct vgetrandom_info info;

	vgetrandom_get_info(&info);
	return info.memory;
}

/* Nothing beyond the end, something at the end, and about as many ones as zeros. */
void check_draws(void)
{
	size_t ones = 0;

	for (size_t len = 0; len < 9000; len += 1 + len / 16) {
		bool zero = len >= 8;

		memset(drawn, 0, len);
		drawn[len] = 0xa5;
		draw(drawn, len);
		for (size_t i = len - 8; i < len && len >= 8; i++)
			zero &= drawn[i] == 0;
		if (zero || drawn[len] != 0xa5)
			fail("a draw of %zu bytes", len);
	}
	draw_many(drawn, sizeof(drawn) / DRAW_BYTES);
	expect_unique(drawn, sizeof(drawn) / DRAW_BYTES);
	draw(drawn, sizeof(drawn));
	for (size_t i = 0; i < sizeof(drawn); i++)
		ones += (size_t)__builtin_popcount(drawn[i]);
	/* 8 Mi coins: a standard deviation is 1,448. */
	if (ones < 4 * MIB - 15000 || ones > 4 * MIB + 15000)
		fail("%zu ones in 8 Mi bits", ones);
	expect_unique(drawn, sizeof(drawn) / DRAW_BYTES);
}

void check_flags(void)
{
	static const unsigned int known[] = { GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (vgetrandom(drawn, 300, known[i]) != 300)
			fail("flags %u: %s", known[i], strerror(errno));
	if (vgetrandom(drawn, 1, 0x80) != -1 || errno != EINVAL)
		fail("an unknown flag was taken");
	if (vgetrandom(drawn, 1, GRND_RANDOM | GRND_INSECURE) != -1 || errno != EINVAL)
		fail("contradicting flags were taken");
}

#define FORKED 64

static void expect_another_child(pid_t (*fork_somehow)(void))
{
	static unsigned char both[2 * FORKED * DRAW_BYTES];
	uint64_t number = vgetrandom_process(), of_child;
	int ends[2], status;

	draw(drawn, 100);
	if (pipe(ends))
		fail("pipe: %s", strerror(errno));
	pid_t child = fork_somehow();

	if (child < 0)
		fail("fork: %s", strerror(errno));
	draw_many(both, FORKED);
	if (child == 0) {
		number = vgetrandom_process();
		bool wrote = write(ends[1], both, sizeof(both) / 2) == (ssize_t)sizeof(both) / 2 &&
			     write(ends[1], &number, sizeof(number)) == (ssize_t)sizeof(number);
		_exit(!wrote);
	}
	if (waitpid(child, &status, 0) != child || status)
		fail("the child ended with %#x", status);
	if (read(ends[0], both + sizeof(both) / 2, sizeof(both) / 2) != sizeof(both) / 2 ||
	    read(ends[0], &of_child, sizeof(of_child)) != sizeof(of_child))
		fail("the child's bytes are missing");
	close(ends[0]);
	close(ends[1]);
	expect_unique(both, 2 * FORKED);
	if (number && number == of_child)
		fail("the child has its parent's number");
}

static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

void check_forks(void)
{
	for (int i = 0; i < 20; i++) {
		expect_another_child(fork);
		expect_another_child(raw_clone);
	}
}

#define HANDLED 1000
#define ENOUGH 50 /* where a busy host lets the machine compute a little only */
static unsigned char in_handler[HANDLED * DRAW_BYTES];
static volatile sig_atomic_t handled;

static void handle(int number)
{
	(void)number;
	if (handled < HANDLED) {
		draw(in_handler + handled * DRAW_BYTES, DRAW_BYTES);
		handled++;
	}
}

void check_signals(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	size_t draws = sizeof(drawn) / DRAW_BYTES - HANDLED, done = 0;
	time_t now, begun = time(NULL);

	signal(SIGVTALRM, handle);
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	do {
		for (int i = 0; i < 100; i++)
			draw(drawn + done++ % draws * DRAW_BYTES, DRAW_BYTES);
		now = time(NULL);
	} while (handled < HANDLED && (now < begun + 20 || handled < ENOUGH) && now < begun + 120);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	if (handled < ENOUGH)
		fail("only %d signals came", (int)handled);
	if (done < draws)
		draws = done;
	memcpy(drawn + draws * DRAW_BYTES, in_handler, (size_t)handled * DRAW_BYTES);
	expect_unique(drawn, draws + (size_t)handled);
}

#define THREADS 8
#define PER_THREAD (sizeof(drawn) / DRAW_BYTES / THREADS)

static void *draw_in_thread(void *into)
{
	draw_many(into, PER_THREAD);
	return NULL;
}

void check_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, draw_in_thread,
				   drawn + i * PER_THREAD * DRAW_BYTES))
			fail("pthread_create");
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect_unique(drawn, THREADS * PER_THREAD);
}

bool find_mapping(const char *flag, struct mapping *found)
{
	static char line[512];
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long start = 0, end = 0;
	char wanted[8];
	bool is_found = false;

	snprintf(wanted, sizeof(wanted), " %s", flag);
	while (maps && !is_found && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			start = from;
			end = to;
		} else if (!strncmp(line, "VmFlags:", 8) && strstr(line, wanted)) {
			found->start = (unsigned char *)start;
			found->bytes = end - start;
			found->locked = strstr(line, " lo") != NULL;
			is_found = true;
		}
	}
	if (maps)
		fclose(maps);
	return is_found;
}

/* The kernel's own list of mappings has what info() says: dp is droppable, wf is wiped on fork. */
void check_memory(void)
{
	const char *claimed = memory();
	struct mapping mapping;
	bool droppable = find_mapping("dp", &mapping), wiped = find_mapping("wf", &mapping);

	if (!strcmp(claimed, "droppable") && !droppable)
		fail("memory is said to be droppable, and there is no such mapping");
	if (!strcmp(claimed, "wipe-on-fork") && (droppable || !wiped))
		fail("memory is said to be wiped on fork, and there is no such mapping");
	if (!strcmp(claimed, "none"))
		fail("no memory for a state");
}

/* The page resists while it has other references: again and again. */
void check_drops(void)
{
	struct mapping mapping;
	uint64_t before, now = 0;

	if (strcmp(memory(), "droppable") != 0)
		_exit(NOT_HERE);
	draw(drawn, DRAW_BYTES);
	if (!find_mapping("dp", &mapping))
		fail("no droppable mapping");
	before = stats().reseeds_wiped;
	for (size_t i = 0; i < sizeof(drawn) / DRAW_BYTES; i++) {
		if (i % 50 == 0)
			madvise(mapping.start, mapping.bytes, MADV_PAGEOUT);
		draw(drawn + i * DRAW_BYTES, DRAW_BYTES);
	}
	now = stats().reseeds_wiped;
	if (now < before + 10)
		fail("the state was dropped %d times only", (int)(now - before));
	expect_unique(drawn, sizeof(drawn) / DRAW_BYTES);
}

/* The batch that was computed before the kernel reseeded is not served any more. */
void check_kernel_reseed(void)
{
	int file = open("/dev/random", O_RDONLY);
	bool watched = !strcmp(watch(), "vdso-generation");

	for (int i = 0; i < 10; i++) {
		draw(drawn, DRAW_BYTES);
		uint64_t before = stats().reseeds_generation;

		if (ioctl(file, RNDRESEEDCRNG))
			fail("RNDRESEEDCRNG: %s", strerror(errno));
		draw(drawn, DRAW_BYTES);
		if (watched && stats().reseeds_generation != before + 1)
			fail("the kernel reseeded, and the next draw did not");
	}
	if (strcmp(watch(), watched ? "vdso-generation" : "none") != 0)
		fail("the watch was lost");
}

static void enter_and_draw(int namespace, const char *watch_before)
{
	if (setns(namespace, CLONE_NEWTIME))
		fail("setns: %s", strerror(errno));
	draw_many(drawn, 1000);
	expect_unique(drawn, 1000);
	if (strcmp(watch(), watch_before) != 0)
		fail("the watch was %s and is %s after setns()", watch_before, watch());
	check_kernel_reseed();
}

static void draw_in_namespace(pid_t first, const char *watch_before)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/time", (int)first);
	int outside = open(path, O_RDONLY), inside = open("/proc/self/ns/time", O_RDONLY);

	/* The watched page may be another one outside, and the one inside may be gone there. */
	for (int i = 0; i < 3; i++) {
		enter_and_draw(inside, watch_before);
		enter_and_draw(outside, watch_before);
	}
}

/* A child in another time namespace has other pages in the place of those of [vvar]. */
void check_time_namespace(void)
{
	const char *before;
	int status;

	draw(drawn, DRAW_BYTES);
	before = watch();
	if (unshare(CLONE_NEWTIME))
		_exit(NOT_HERE);
	pid_t first = getpid(), child = fork();

	if (child == 0) {
		draw_in_namespace(first, before);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		fail("the child ended with %#x", status);
}

void check_requests(void)
{
	for (int i = 0; i < 10; i++) {
		draw(drawn, DRAW_BYTES);
		uint64_t before = stats().reseeds_requested;

		vgetrandom_reseed(i % 2 ? "bytes of this instance's own" : NULL, i % 2 ? 28 : 0);
		draw(drawn, DRAW_BYTES);
		if (stats().reseeds_requested != before + 1)
			fail("reseed() was not followed by one");
	}
}
