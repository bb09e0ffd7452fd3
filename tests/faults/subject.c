/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "subject.h"

#include "actions.h"
#include "stepping.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_DEPTH 4
#define SECONDS 120

volatile uint32_t draw_at_work, forks_done, in_core;

static const struct core *core;
static struct observed *observed;
static uint32_t serials, forks, fork_of_mine;
static volatile int depth;
static uint8_t buffers[MAX_DEPTH][MAX_BYTES];

static void append(struct record record, const uint8_t *bytes)
{
	record.offset = atomic_fetch_add(&observed->used, record.len);
	memcpy(observed->arena + record.offset, bytes, record.len);
	observed->record[atomic_fetch_add(&observed->records, 1)] = record;
}

static __attribute__((noinline)) ssize_t draw_between_marks(uint8_t *buf, size_t len)
{
	stepping_mark();
	ssize_t result = core->draw(buf, len, 0);

	stepping_mark();
	return result;
}

static void draw(enum role role, size_t len)
{
	int saved_errno = errno;
	uint8_t *buf = buffers[depth++];
	uint32_t outer = draw_at_work;
	struct record record = {
		.began = getpid(),
		.serial = ++serials,
		.role = role,
		.len = len,
		.calls_before = core->script()->calls,
	};

	draw_at_work = record.serial;
	in_core = 1;
	record.result = role == SUBJECT ? draw_between_marks(buf, len) : core->draw(buf, len, 0);
	in_core = 0;
	draw_at_work = outer;
	record.error = record.result < 0 ? errno : 0;
	record.pid = getpid();
	record.fork = fork_of_mine;
	record.calls_after = core->script()->calls;
	append(record, buf);
	depth--;
	errno = saved_errno;
}

/* glibc's fork() blocks all signals since 2.41. Doing so here tests with every libc that the tracer
 * gets through it. */
static pid_t fork_with_signals_blocked(void)
{
	sigset_t every, before;

	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, &before);
	pid_t pid = fork();

	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* Without this, a child whose parent was killed would wait for it in draw_last(). */
static void end_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static void handle(int signal)
{
	int saved_errno = errno;
	uint32_t was_in_core = in_core, actions = actions_for(signal);

	in_core = 0;
	if (actions & FORKS) {
		uint32_t this_fork = ++forks;

		observed->processes++;
		pid_t parent = getpid();
		pid_t pid = actions & CLONE
				    ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0L)
				    : fork_with_signals_blocked();

		forks_done++;
		if (pid < 0) {
			observed->failures++;
			observed->processes--;
		} else if (pid == 0) {
			fork_of_mine = this_fork;
			end_with(parent);
			alarm(SECONDS);
		}
	}
	if (actions & DRAW)
		draw(NESTED, NESTED_BYTES);
	in_core = was_in_core;
	errno = saved_errno;
}

static void remember_first_keys(void)
{
	struct vgetrandom_stats stats;
	uint64_t most = observed->first_keys;

	core->get_stats(&stats);
	while (stats.reseeds_first > most &&
	       !atomic_compare_exchange_weak(&observed->first_keys, &most, stats.reseeds_first))
		;
}

/* A child that a signal has killed must not be waited for in draw_last(). */
static void reap(int options)
{
	int status;

	while (waitpid(-1, &status, options) > 0) {
		if (status)
			observed->failures++;
		if (WIFSIGNALED(status))
			observed->processes--;
	}
}

/* When every process has made its other draws, the kernel reseeds for one process at a time, which
 * then draws. */
static void draw_last(void)
{
	uint32_t nobody = 0;

	observed->ready++;
	while (observed->ready < observed->processes) {
		reap(WNOHANG);
		sched_yield();
	}
	while (!atomic_compare_exchange_weak(&observed->last, &nobody, 1)) {
		nobody = 0;
		sched_yield();
	}
	core->reseed_kernel(core->script()->generation + 1);
	draw(LAST, LAST_BYTES);
	observed->last = 0;
}

_Noreturn void subject_run(const struct core *the_core, const struct plan *plan,
			   struct observed *the_observed)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_NODEFER | SA_RESTART };

	core = the_core;
	observed = the_observed;
	for (int signal = signal_for(CLONE); signal <= signal_for(IN_HANDLER); signal++)
		sigaction(signal, &action, NULL);
	alarm(SECONDS);
	for (int i = 0; i < MAX_PREPARATIONS && plan->preparation[i]; i++)
		draw(PREPARATION, plan->preparation[i]);
	draw(SUBJECT, plan->len);
	for (int i = 0; i < 2; i++)
		draw(FOLLOWING, plan->following[i]);
	draw_last();
	if (fork_of_mine == 0)
		observed->state = core->state();
	remember_first_keys();
	reap(0);
	_exit(observed->failures != 0);
}
