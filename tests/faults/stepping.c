/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stepping.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "debug registers are those of x86-64"
#endif

#define DEBUG_REGISTER(i) ((void *)(offsetof(struct user, u_debugreg) + (i) * 8))

/* In debug register 7, for register i: enabled, and what it stops for. */
#define ENABLED(i) (UINT64_C(1) << (2 * (i)))
#define ACCESS_8(i) (UINT64_C(0xb) << (16 + 4 * (i)))
#define EXECUTION(i) (UINT64_C(0) << (16 + 4 * (i)))

void stepping_stay_on_one_processor(void)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	CPU_ZERO(&one);
	if (cpu >= 0) {
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}

__attribute__((noinline)) void stepping_mark(void)
{
	__asm__ __volatile__("" ::: "memory");
}

void stepping_accept(pid_t tracer)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The tracer may have ended before prctl(). */
	if (getppid() != tracer)
		_exit(1);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
}

bool stepping_begin(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

static struct stop wait_for(pid_t pid, int request, int signal)
{
	struct stop stop = { 0 };

	for (;;) {
		ptrace(request, pid, NULL, (void *)(intptr_t)signal);
		if (waitpid(pid, &stop.status, 0) != pid || !WIFSTOPPED(stop.status)) {
			stop.ended = true;
			return stop;
		}
		signal = WSTOPSIG(stop.status);
		if (signal == SIGTRAP)
			break;
		/* The subject waits for its children by itself. */
		if (signal == SIGCHLD)
			signal = 0;
	}
	uint64_t why = (uint64_t)ptrace(PTRACE_PEEKUSER, pid, DEBUG_REGISTER(6), NULL);

	ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(6), NULL);
	stop.arrived = why & 1;
	stop.touched = (uint32_t)why & (1u << WATCHED_GENERATION | 1u << WATCHED_WORD);
	return stop;
}

struct stop stepping_continue(pid_t pid, int signal)
{
	return wait_for(pid, PTRACE_CONT, signal);
}

struct stop stepping_step(pid_t pid, int signal)
{
	return wait_for(pid, PTRACE_SINGLESTEP, signal);
}

static bool set(pid_t pid, int i, uint64_t value)
{
	return ptrace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(i), (void *)value) == 0;
}

bool stepping_watch(pid_t pid, uint64_t pc, const void *generation, const void *word)
{
	uint64_t control = 0;

	if (pc)
		control |= ENABLED(0) | EXECUTION(0);
	if (generation)
		control |= ENABLED(WATCHED_GENERATION) | ACCESS_8(WATCHED_GENERATION);
	if (word)
		control |= ENABLED(WATCHED_WORD) | ACCESS_8(WATCHED_WORD);
	return set(pid, 7, 0) && set(pid, 0, pc) &&
	       set(pid, WATCHED_GENERATION, (uintptr_t)generation) &&
	       set(pid, WATCHED_WORD, (uintptr_t)word) && set(pid, 7, control);
}

static uint64_t register_at(pid_t pid, size_t offset)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, (void *)offset, NULL);
}

uint64_t stepping_pc(pid_t pid)
{
	return register_at(pid, offsetof(struct user, regs.rip));
}

uint64_t stepping_return_address(pid_t pid)
{
	uint64_t stack = register_at(pid, offsetof(struct user, regs.rsp));

	return (uint64_t)ptrace(PTRACE_PEEKDATA, pid, (void *)stack, NULL);
}

void stepping_end(pid_t pid)
{
	stepping_watch(pid, 0, NULL, NULL);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}
