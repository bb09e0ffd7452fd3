/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "clock.h"

#include "system_call.h"
#include "vdso.h"

#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

/* ---- the CPU's counter ---- */

/* 10 ns or so, and a tick in every run: clones that were resumed at the same time differ in it. */
#if defined(__x86_64__)
#define HAS_COUNTER 1
static uint64_t read_counter(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}
#elif defined(__aarch64__)
#define HAS_COUNTER 1
static uint64_t read_counter(void)
{
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}
#else
#define HAS_COUNTER 0
static uint64_t read_counter(void)
{
	return 0;
}
#endif

bool clock_counter_is_forbidden(void)
{
	int mode = PR_TSC_ENABLE;

	/* Kernels that cannot forbid it do not know the question. */
	return HAS_COUNTER && system_prctl(PR_GET_TSC, &mode) == 0 && mode != PR_TSC_ENABLE;
}

/* ---- clock_gettime(2) ---- */

/* As 64-bit machines have had it, and 32-bit ones for the time after 2038. */
struct timespec64 {
	int64_t seconds, nanoseconds;
};
#ifdef SYS_clock_gettime64
#define CLOCK_GETTIME_CALL SYS_clock_gettime64
#define CLOCK_GETTIME_NAME "clock_gettime64"
#else
#define CLOCK_GETTIME_CALL SYS_clock_gettime
#define CLOCK_GETTIME_NAME "clock_gettime"
#endif
#if defined(__aarch64__) || defined(__powerpc__) || defined(__s390__)
#define CLOCK_GETTIME_IN_VDSO "__kernel_" CLOCK_GETTIME_NAME
#else
#define CLOCK_GETTIME_IN_VDSO "__vdso_" CLOCK_GETTIME_NAME
#endif

typedef int clock_gettime_fn(clockid_t clock, struct timespec64 *time);

static int by_system_call(clockid_t clock, struct timespec64 *time)
{
	return (int)syscall(CLOCK_GETTIME_CALL, (long)clock, time);
}

/* Not libc's, which a program may have replaced by a clock that stands still. Racing threads find
 * the same. */
static clock_gettime_fn *find_clock_gettime(void)
{
	static _Atomic(clock_gettime_fn *) found;
	clock_gettime_fn *function = found;

	if (!function) {
		function = (clock_gettime_fn *)vdso_function(CLOCK_GETTIME_IN_VDSO);
		if (!function)
			function = by_system_call;
		found = function;
	}
	return function;
}

static _Atomic bool none;

/* The wall clock, because it shows more than the time since the machine was started: where the
 * clones' clocks are set after they were resumed, too. */
static uint64_t read_wall_clock(bool coarse)
{
	struct timespec64 time;

	if (find_clock_gettime()(coarse ? CLOCK_REALTIME_COARSE : CLOCK_REALTIME, &time)) {
		none = true;
		return 0;
	}
	return (uint64_t)time.seconds * 1000000000 + (uint64_t)time.nanoseconds;
}

uint64_t clock_read(bool coarse)
{
	return HAS_COUNTER && !coarse ? read_counter() : read_wall_clock(coarse);
}

void clock_notes(struct notes *notes)
{
	if (none)
		note(notes, "no clock can be read here: clones of this machine are not parted by "
			    "the time");
}
