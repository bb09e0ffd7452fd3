/* SPDX-License-Identifier: MIT */
/* Has something happen between any two instructions of a draw: with the trap flag set the CPU
 * raises SIGTRAP after each instruction, and the signal handler does it.
 *
 *     stepping SITUATION ACTION MOST
 *
 * The draw is that of a thread in SITUATION (see below). The actions `draw`, `draw-while-out` (only
 * while the interrupted draw has its state), those that fork and `fork-while-claiming` (only while
 * the thread claims a state) happen after every instruction of one draw; the others happen once in
 * each of many draws, each time one instruction later. With `fork-thread` the handler begins a
 * thread in the child, which draws at once. There are MOST of them at most: of more steps some are
 * left out.
 *
 * A fork after a draw's last look at its page is one that comes after the draw: then parent and
 * child have the same bytes, as after its return. The program prints for how many instructions at
 * the end of the draw that is so.
 */
#define _GNU_SOURCE
#include "draws.h"
#include "hooks.h"

#include <fcntl.h>
#include <linux/random.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100
#define PAGE 4096
#define ALL_OF_THE_FIRST 60
#define MOST_STEPS 100000
#define MOST_BYTES 4096
#define DRAWS_AT_ONCE 200

static const char *situation, *action;
static struct hook_layout layout;
static int urandom = -1;

/* In memory that forked children share. */
static struct {
	_Atomic long steps, actions, forks;
} *total;
static unsigned char (*forked_draws)[MOST_BYTES]; /* by the step of the fork */

static volatile long step, act_at, stride;
static volatile bool is_child;
static int threads; /* that have drawn */
static volatile long forked_at;
static bool was_forked_at[MOST_STEPS];

static bool is(const char *name, const char *other)
{
	return strcmp(name, other) == 0;
}

/* Whether ACTION is of that kind: a draw or a fork. */
static bool begins(const char *kind)
{
	return strncmp(action, kind, strlen(kind)) == 0;
}

static void drop_state(void)
{
	void *state = hook_state();

	if (state) {
		munlock(state, PAGE);
		if (madvise(state, PAGE, MADV_DONTNEED))
			fail("madvise failed: errno %d", errno);
	}
}

static void fork_with(long (*fork_function)(void))
{
	long pid = fork_function();

	if (pid < 0)
		fail("no child");
	if (pid == 0) {
		is_child = true;
		forked_at = step;
		return;
	}
	was_forked_at[step] = true;
	int status;

	if (waitpid((pid_t)pid, &status, 0) != pid || status)
		fail("the child forked at step %ld failed", step);
	total->forks++;
}

static long libc_fork(void)
{
	return fork();
}

static long raw_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* In a child whose handler has started a thread: it must not have the interrupted draw's state. */
static pthread_t thread_of_handler;
static void *_Atomic state_of_handlers_thread;
static atomic_bool interrupted_draw_is_over;

static void *draw_before_and_after(void *arg)
{
	draw(16);
	state_of_handlers_thread = hook_state();
	while (!interrupted_draw_is_over)
		sched_yield();
	for (int i = 0; i < DRAWS_AT_ONCE; i++)
		draw(16);
	return arg;
}

static void begin_thread(void)
{
	if (pthread_create(&thread_of_handler, NULL, draw_before_and_after, NULL))
		fail("no thread");
	while (!state_of_handlers_thread)
		sched_yield();
}

static void end_thread(void)
{
	interrupted_draw_is_over = true;
	if (hook_state() == state_of_handlers_thread)
		fail("two threads have one state (after a fork at step %ld)", forked_at);
	for (int i = 0; i < DRAWS_AT_ONCE; i++)
		draw(16);
	pthread_join(thread_of_handler, NULL);
}

/* The state of a thread that drew before the main thread did. */
static void *_Atomic state_of_earlier_thread;

static void *draw_and_stay(void *arg)
{
	draw(16);
	state_of_earlier_thread = hook_state();
	for (;;)
		pause();
	return arg;
}

static void begin_earlier_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, draw_and_stay, NULL))
		fail("no thread");
	while (!state_of_earlier_thread)
		sched_yield();
	threads++;
}

/* A child does not have the earlier thread, so its state must be somebody else's by now or free.
 * The first state that is free is the one that the next object gets. */
static void expect_state_of_earlier_thread(void)
{
	if (hook_state() == state_of_earlier_thread)
		return;
	void **slot = (void **)vgetrandom_generator_new();

	if (slot[1] != state_of_earlier_thread)
		fail("a thread's state was lost in the child forked at step %ld", forked_at);
}

static void act(void)
{
	if (is(action, "draw-while-out") && !hook_is_out())
		return;
	if (is(action, "fork-while-claiming") && !hook_is_claiming())
		return;
	total->actions++;
	if (begins("draw"))
		draw_16();
	else if (begins("fork"))
		fork_with(libc_fork);
	else if (is(action, "clone"))
		fork_with(raw_clone);
	else if (is(action, "drop"))
		drop_state();
	else if (is(action, "request"))
		vgetrandom_reseed(NULL, 0);
	else if (is(action, "reseed-kernel") && ioctl(urandom, RNDRESEEDCRNG))
		fail("the kernel is not to be reseeded: errno %d", errno);
}

static bool every_step(void)
{
	return is(action, "draw") || is(action, "draw-while-out") || begins("fork") ||
	       is(action, "clone");
}

static void stop_stepping(void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	if (++step == MOST_STEPS)
		fail("too many steps");
	if (every_step()) {
		if (step % stride == 0)
			act();
		if (is_child)
			stop_stepping(context);
		if (is_child && is(action, "fork-thread"))
			begin_thread();
	} else if (step == act_at) {
		act();
		stop_stepping(context);
	}
}

/* Inline, so that only vgetrandom() is stepped through. */
#define SET_TRAP_FLAG                                                                   \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\t" \
			 "popfq\n\tleaq 128(%%rsp), %%rsp" ::                           \
				 : "memory", "cc")
#define CLEAR_TRAP_FLAG                                                                   \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\t" \
			 "popfq\n\tleaq 128(%%rsp), %%rsp" ::                             \
				 : "memory", "cc")

static size_t prepare(void)
{
	if (is(situation, "first-of-process") || is(situation, "first") || is(situation, "forked"))
		return 16;
	if (is(situation, "first-of-main")) {
		begin_earlier_thread();
		return 16;
	}
	draw(16);
	if (is(situation, "hot"))
		return 16;
	if (is(situation, "refill")) {
		draw(layout.batch_bytes - 16);
		return 16;
	}
	if (is(situation, "across")) {
		draw(layout.batch_bytes - 32);
		return 48;
	}
	if (is(situation, "bulk"))
		return (layout.bulk_min_bytes + 15) / 16 * 16;
	if (is(situation, "wiped")) {
		drop_state();
		return 16;
	}
	if (is(situation, "requested")) {
		vgetrandom_reseed(NULL, 0);
		return 16;
	}
	exit(2);
}

/* Records what children drew, except for draws that are the same as BUF, and returns the first step
 * from which on they are. */
static long compare(const unsigned char *buf, size_t size)
{
	long first_shared = step + 1;

	for (long i = 0; i <= step; i++) {
		bool shared = false;

		if (!was_forked_at[i])
			continue;
		for (size_t at = 0; at < size; at += RECORD_BYTES)
			shared |= !memcmp(forked_draws[i] + at, buf + at, RECORD_BYTES);
		if (!shared)
			record(forked_draws[i], size);
		if (shared && i < first_shared)
			first_shared = i;
		if (!shared && i > first_shared)
			first_shared = 0; /* not only the end is shared */
	}
	return first_shared;
}

/* The handler must not have taken a state of its own, which would be left behind with its batch. */
static void expect_one_first_key(void)
{
	struct vgetrandom_stats stats;

	if (is_child)
		return;
	threads++;
	vgetrandom_get_stats(&stats);
	if (stats.reseeds_first > (uint64_t)threads)
		fail("%d threads had %d first keys (at step %ld)", threads,
		     (int)stats.reseeds_first, act_at);
}

static void *stepped_draw(void *arg)
{
	static _Thread_local unsigned char buf[MOST_BYTES];
	size_t size = prepare();

	(void)arg;
	step = 0;
	SET_TRAP_FLAG;
	ssize_t got = vgetrandom(buf, size, 0);
	CLEAR_TRAP_FLAG;
	if (got != (ssize_t)size)
		fail("vgetrandom failed: errno %d", errno);
	if (is_child) {
		memcpy(forked_draws[forked_at], buf, size);
	} else {
		record(buf, size);
		if (total->forks)
			printf("shared_at_the_end=%ld\n", step - compare(buf, size));
	}
	if (is_child && is(action, "fork-thread"))
		end_thread();
	/* The state must be usable afterwards. */
	draw(16);
	draw(48);
	if (!hook_is_settled())
		fail("the fork at step %ld was not settled", forked_at);
	expect_one_first_key();
	if (is_child && state_of_earlier_thread)
		expect_state_of_earlier_thread();
	if (is_child)
		_exit(0);
	return NULL;
}

static bool in_main_thread(void)
{
	return is(situation, "first-of-process") || is(situation, "first-of-main") ||
	       is(situation, "forked");
}

/* One draw, stepped through; returns how many steps there were. */
static long run(void)
{
	if (in_main_thread()) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			stepped_draw(NULL);
			total->steps = step;
			fflush(stdout);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			fail("the child failed");
		return total->steps;
	}
	pthread_t thread;

	if (pthread_create(&thread, NULL, stepped_draw, NULL) || pthread_join(thread, NULL))
		fail("no thread");
	return step;
}

int main(int argc, char **argv)
{
	struct sigaction trap = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	if (argc != 4)
		return 2;
	situation = argv[1];
	action = argv[2];

	long most = atol(argv[3]), steps;

	hook_layout(&layout);
	records_start(2000000);
	total = map_shared(sizeof(*total));
	forked_draws = map_shared((size_t)MOST_STEPS * MOST_BYTES);
	if (is(action, "reseed-kernel"))
		urandom = open("/dev/urandom", O_RDONLY);
	sigaction(SIGTRAP, &trap, NULL);
	if (!is(situation, "first-of-process") && !is(situation, "first-of-main")) {
		draw(16);
		threads++;
	}

	/* Nothing happens in the first run, which counts the steps. */
	act_at = 0;
	stride = 1L << 40;
	steps = run();
	stride = steps / most + 1;
	if (every_step()) {
		run();
	} else {
		for (act_at = 1; act_at <= steps; act_at += act_at < ALL_OF_THE_FIRST ? 1 : stride)
			run();
	}
	printf("steps=%ld\nactions=%ld\nforks=%ld\n", steps, total->actions, total->forks);
	print_stats();
	records_check();
	return 0;
}
