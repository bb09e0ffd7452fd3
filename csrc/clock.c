/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "clock.h"

#include "system_call.h"
#include "vdso.h"

#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

/* ---- the CPU's counter ---- */

/* Reading it takes about 10 ns. It is fine enough to differ even in clones that are resumed at the
 * same moment (bench/clock_spread.c). */
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

	/* Kernels that cannot disable it do not know this request. */
	return HAS_COUNTER && system_prctl(PR_GET_TSC, &mode) == 0 && mode != PR_TSC_ENABLE;
}

/* ---- clock_gettime(2) ---- */

/* The kernel's struct __kernel_timespec, on 32-bit machines too. */
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

/* Not libc's function: a program under test may have replaced it by a clock that stands still.
 * Threads that race here find the same. */
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

static _Atomic bool no_clock;

/* The wall clock rather than the monotonic one: it also differs if the clones' clocks are set after
 * they were resumed. */
static uint64_t read_wall_clock(bool coarse)
{
	struct timespec64 time;

	if (find_clock_gettime()(coarse ? CLOCK_REALTIME_COARSE : CLOCK_REALTIME, &time)) {
		no_clock = true;
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
	if (no_clock)
		note(notes,
		     "no clock can be read here: until the kernel reseeds, nothing makes the "
		     "output of clones of this machine differ");
}
