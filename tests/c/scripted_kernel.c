/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "scripted_kernel.h"

#include "../../csrc/clock.h"
#include "../../csrc/kernel.h"
#include "../../csrc/vvar.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The real opaque state begins with a batch and a key of so many bytes; the generation follows. */
#define OPAQUE_RANDOM_BYTES 128

static struct script *the_script;

static void *map_shared(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* The tests load this library before there is any other thread or handler. */
__attribute__((constructor)) static void map_script(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	the_script = map_shared(sizeof(*the_script));
	/* Adjacent pages, as the kernel's are. */
	the_script->vvar[0] = map_shared(2 * page);
	the_script->vvar[1] = the_script->vvar[0] + page / sizeof(uint64_t);
	the_script->has_vdso = 1;
	the_script->vvar_pages = 1;
	script_reseed_kernel(1000);
}

struct script *script(void)
{
	return the_script;
}

void script_reseed_kernel(uint64_t generation)
{
	the_script->generation = generation;
	the_script->vvar[0][SCRIPT_GENERATION_WORD] = generation;
	the_script->vvar[0][SCRIPT_GENERATION_WORD + 1] = 1;
}

/* Sebastiano Vigna's splitmix64 (public domain), over a counter. */
static uint64_t splitmix64(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

uint8_t script_byte(uint64_t seed, uint64_t n, uint64_t i)
{
	uint64_t word = splitmix64(splitmix64(splitmix64(seed) ^ n) ^ (i / 8));

	return (uint8_t)(word >> (8 * (i % 8)));
}

void script_bytes(uint64_t seed, uint64_t n, uint8_t *buf, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		buf[i] = script_byte(seed, n, i);
}

uint64_t script_clock(uint64_t clock, uint64_t calls)
{
	return clock == SCRIPT_NO_CLOCK ? 0 : splitmix64(splitmix64(~clock) ^ calls);
}

uint64_t clock_read(bool coarse)
{
	the_script->clock_readings++;
	if (coarse)
		the_script->coarse_readings++;
	return script_clock(the_script->clock, the_script->calls);
}

bool clock_counter_is_forbidden(void)
{
	return the_script->counter_forbidden;
}

void clock_notes(struct notes *notes)
{
	if (the_script->clock == SCRIPT_NO_CLOCK)
		note(notes, "no clock can be read here");
}

static void finish(uint64_t n, struct script_entry entry, void *buf)
{
	entry.pid = getpid();
	the_script->log[n % SCRIPT_LOG_ENTRIES] = entry;
	if (the_script->on_call)
		the_script->on_call(n, buf, entry.len);
}

ssize_t kernel_getrandom(void *buf, size_t len, unsigned int flags)
{
	uint64_t n = the_script->calls++, after = the_script->answer_after;
	uint64_t times = the_script->answer_times, call = the_script->getrandom_calls++;
	int64_t answer = the_script->getrandom_answer;
	struct script_entry entry = { .source = SCRIPT_GETRANDOM, .flags = flags, .len = len };

	if (call < after || (times && call >= after + times))
		answer = 0;
	if (answer == 0 || (answer > 0 && (uint64_t)answer > len))
		answer = (int64_t)len;
	if (answer > 0)
		script_bytes(the_script->seed, n, buf, (uint64_t)answer);
	entry.answer = answer;
	finish(n, entry, buf);
	if (answer >= 0)
		return (ssize_t)answer;
	errno = (int)-answer;
	return -1;
}

ssize_t kernel_vdso_getrandom(void *buf, size_t len, void *opaque)
{
	struct script_entry entry = { .source = SCRIPT_VDSO, .answer = (int64_t)len, .len = len };
	uint64_t n, generation = the_script->generation;

	if (!the_script->has_vdso)
		return -1;
	n = the_script->calls++;
	if (the_script->vdso_answer) {
		entry.answer = -(int64_t)the_script->vdso_answer;
		finish(n, entry, buf);
		return (ssize_t)entry.answer;
	}
	script_bytes(the_script->seed, n, buf, len);
	script_bytes(~the_script->seed, n, opaque, OPAQUE_RANDOM_BYTES);
	memcpy((uint8_t *)opaque + OPAQUE_RANDOM_BYTES, &generation, sizeof(generation));
	finish(n, entry, buf);
	return (ssize_t)len;
}

bool kernel_has_vdso(void)
{
	return the_script->has_vdso;
}

int kernel_mmap_flags(void)
{
	return 0;
}

void kernel_notes(struct notes *notes)
{
	(void)notes;
}

int vvar_pages(const void **pages, int max)
{
	int count = 0;

	the_script->vvar_searches++;
	for (; count < max && (uint64_t)count < the_script->vvar_pages; count++)
		pages[count] = (const void *)the_script->vvar[count];
	return count;
}

bool vvar_readable(const void *page)
{
	for (int i = 0; i < 2; i++)
		if (page == (const void *)the_script->vvar[i])
			return !(the_script->vvar_unreadable >> i & 1);
	return false;
}
