/* SPDX-License-Identifier: MIT */
/* A guest that is to be cloned: draws of everything into a log in memory, which the host reads from
 * snapshots of the guest's memory, record by record. Draws and records have the same numbers in
 * every clone, because nothing but the draws' own bytes depends on what is drawn.
 *
 * A line on the console is given to vgetrandom_reseed(): what a host tells an instance after it was
 * restored.
 */
#define _GNU_SOURCE
#include "guest.h"

#include "vdso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <vgetrandom.h>

/* The host looks for it in all pages of the guest. */
#define PAGE_MAGIC "vgetrandom clone log"
#define LOG_PAGE_BYTES 4096

struct record {
	uint64_t number; /* from 1: 0 is a record that was not written */
	uint64_t clock;  /* just before the draw of ours */
	uint64_t refills, requests;
	unsigned char kernel[DRAW_BYTES], vdso[DRAW_BYTES], ours[DRAW_BYTES], cache[DRAW_BYTES];
	unsigned char bulk_begins[DRAW_BYTES], bulk_ends[DRAW_BYTES]; /* zeros between them */
};

/* As much as is computed straight into the buffer in one run, at every so manieth number. */
#define BULK_BYTES (64 * 1024)
#define BULK_EVERY 16

#define RECORDS ((LOG_PAGE_BYTES - 32) / sizeof(struct record))

struct log_page {
	char magic[24];
	uint64_t number;
	struct record records[RECORDS];
	unsigned char rest[LOG_PAGE_BYTES - 32 - RECORDS * sizeof(struct record)];
};
_Static_assert(sizeof(struct log_page) == LOG_PAGE_BYTES, "a page of the log is a page");

static uint64_t counter(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0;
#endif
}

static void *map(size_t bytes, int flags)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	return mapped == MAP_FAILED ? NULL : mapped;
}

/* The kernel's own generator in user space, as libc has it. */
static vdso_getrandom_fn *vdso;
static void *vdso_state;
static size_t vdso_state_bytes;

static void find_vdso(void)
{
	struct vdso_params params;

	vdso = vdso_getrandom(&params);
	if (!vdso)
		return;
	vdso_state = map(LOG_PAGE_BYTES, (int)params.mmap_flags);
	vdso_state_bytes = params.size_of_opaque_state;
}

/* What programs do that find getrandom(2) too slow. */
static void draw_from_cache(unsigned char *into)
{
	static unsigned char cache[4096];
	static size_t left;

	if (left < DRAW_BYTES) {
		for (size_t at = 0; at < sizeof(cache); at += 256)
			if (getrandom(cache + at, 256, 0) != 256)
				printf("@error=getrandom: %s\n", strerror(errno));
		left = sizeof(cache);
	}
	memcpy(into, cache + sizeof(cache) - left, DRAW_BYTES);
	left -= DRAW_BYTES;
}

static void draw_bulk(struct record *record)
{
	static unsigned char bulk[BULK_BYTES];

	if (vgetrandom(bulk, sizeof(bulk), 0) != sizeof(bulk))
		printf("@error=vgetrandom: %s\n", strerror(errno));
	memcpy(record->bulk_begins, bulk, DRAW_BYTES);
	memcpy(record->bulk_ends, bulk + sizeof(bulk) - DRAW_BYTES, DRAW_BYTES);
}

static void draw_all(struct record *record, uint64_t number)
{
	struct vgetrandom_stats stats;

	if (getrandom(record->kernel, DRAW_BYTES, 0) != DRAW_BYTES)
		printf("@error=getrandom: %s\n", strerror(errno));
	if (vdso)
		vdso(record->vdso, DRAW_BYTES, 0, vdso_state, vdso_state_bytes);
	record->clock = counter();
	if (vgetrandom(record->ours, DRAW_BYTES, 0) != DRAW_BYTES)
		printf("@error=vgetrandom: %s\n", strerror(errno));
	draw_from_cache(record->cache);
	if (number % BULK_EVERY == BULK_EVERY / 2)
		draw_bulk(record);
	vgetrandom_get_stats(&stats);
	record->refills = stats.refills;
	record->requests = stats.reseeds_requested;
	/* Last: a record with a number is whole. */
	*(volatile uint64_t *)&record->number = number;
}

static void open_console(void)
{
	struct termios settings;

	if (tcgetattr(0, &settings) == 0) {
		settings.c_lflag &= (tcflag_t)~ECHO;
		tcsetattr(0, TCSANOW, &settings);
	}
	fcntl(0, F_SETFL, O_NONBLOCK);
}

static void obey_host(void)
{
	char line[128];
	ssize_t got = read(0, line, sizeof(line));

	if (got > 0)
		vgetrandom_reseed(line, (size_t)got);
}

void run_clone(void)
{
	struct sysinfo memory;

	sysinfo(&memory);
	/* The rest is for the kernel. */
	size_t pages = memory.freeram * memory.mem_unit / 4 * 3 / LOG_PAGE_BYTES;
	struct log_page *log = map(pages * LOG_PAGE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS);
	const struct timespec moment = { 0, 2000000 };
	uint64_t number = 1;

	if (!log)
		fail("no memory for the log");
	madvise(log, pages * LOG_PAGE_BYTES, MADV_NOHUGEPAGE);
	find_vdso();
	open_console();
	printf("@logging=%zu\n", pages * RECORDS);
	for (size_t page = 0; page < pages; page++) {
		/* After the number: the program's own copy of the name is in no page's beginning.
		 */
		log[page].number = page;
		memcpy(log[page].magic, PAGE_MAGIC, sizeof(PAGE_MAGIC));
		for (size_t i = 0; i < RECORDS; i++) {
			draw_all(&log[page].records[i], number++);
			/* Some rest for the host, and for the kernel's own work. */
			if (number % 16 == 0) {
				obey_host();
				nanosleep(&moment, NULL);
			}
		}
	}
	printf("@full\n");
	for (;;)
		pause();
}
