/* SPDX-License-Identifier: MIT */
/* The system calls of each phase, as docs/sandboxes.md lists them, and filters that kill for any
 * other. */
#ifndef PHASE_FILTERS_H
#define PHASE_FILTERS_H

#include "draws.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define IN_ALL SYS_getrandom
#define WITHOUT_A_STATE IN_ALL, SYS_mmap, SYS_munmap, SYS_madvise, SYS_mlock2, SYS_prctl
#define FIRST_DRAW WITHOUT_A_STATE, SYS_openat, SYS_ioctl, SYS_close, SYS_rt_sigprocmask

static const int with_a_state[] = { IN_ALL, -1 };
static const int without_a_state[] = { WITHOUT_A_STATE, -1 };
static const int after_a_fork[] = { WITHOUT_A_STATE, SYS_getpid, SYS_gettid, SYS_rt_sigprocmask,
				    -1 };
static const int first_draw[] = { FIRST_DRAW, -1 };
static const int preparing[] = { FIRST_DRAW, SYS_getdents64, -1 };
/* Once mlock2(2) was refused. */
static const int without_locking[] = { SYS_getrandom, SYS_mmap,  SYS_munmap,
				       SYS_madvise,   SYS_prctl, -1 };
/* A thread without a state that draws for an object: the state is the object's. */
static const int for_an_object[] = { IN_ALL, SYS_prctl, -1 };

/* Whether the calling thread is under a filter of allow_only(). */
static _Thread_local bool filtered;

static void install(struct sock_filter *filter, unsigned short count)
{
	struct sock_fprog program = { count, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		skip("seccomp filters are refused here");
}

/* Kills the process for any system call of the calling thread that is not listed, but for those by
 * which the test itself ends, prints what it found, and gives back what it took away. */
static void allow_only(const int *list)
{
	static const int own[] = { SYS_write,     SYS_writev,          SYS_exit_group,
				   SYS_prlimit64, SYS_clock_nanosleep, -1 };
	const int *lists[] = { list, own };
	struct sock_filter filter[64];
	unsigned short count = 0;

	filter[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						       offsetof(struct seccomp_data, nr));
	for (int i = 0; i < 2; i++) {
		for (const int *call = lists[i]; *call >= 0; call++) {
			filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								       (unsigned int)*call, 0, 1);
			filter[count++] =
				(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
	}
	filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	install(filter, count);
	filtered = true;
}

/* Refuses a call for good, with an error that does not look like a shortage, which passes. */
static void refuse(int call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

#endif
