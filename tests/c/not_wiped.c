/* SPDX-License-Identifier: MIT */
/* In place of csrc/wipe_on_fork.c, for programs that never fork and run where nothing is wiped on
 * fork (qemu's user mode before 11): the states that the core would not keep there. */
#include "../../csrc/wipe_on_fork.h"
#include "../../csrc/system_call.h"

void *wipe_on_fork_map(size_t size)
{
	return system_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

bool wipe_on_fork_refused(void)
{
	return false;
}
