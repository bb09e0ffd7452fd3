/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "traced.h"

#include <dlfcn.h>
#include <err.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_GENERATION 1000

struct core core;
const void *library_base;
struct plan plan;
struct observed *observed;

static void *symbol(void *library, const char *name)
{
	void *address = dlsym(library, name);

	if (!address)
		errx(2, "%s", dlerror());
	return address;
}

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	Dl_info info;

	if (!library)
		errx(2, "%s", dlerror());
	core.draw = (ssize_t (*)(void *, size_t, unsigned int))symbol(library, "vgetrandom");
	core.get_stats =
		(void (*)(struct vgetrandom_stats *))symbol(library, "vgetrandom_get_stats");
	core.state = (void *(*)(void))symbol(library, "peek_state");
	core.script = (struct script * (*)(void)) symbol(library, "script");
	core.byte = (uint8_t (*)(uint64_t, uint64_t, uint64_t))symbol(library, "script_byte");
	core.reseed_kernel = (void (*)(uint64_t))symbol(library, "script_reseed_kernel");
	dladdr((void *)core.draw, &info);
	library_base = info.dli_fbase;
}

void traced_prepare(const char *path)
{
	load(path);
	observed = mmap(NULL, sizeof(*observed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (observed == MAP_FAILED)
		err(2, "mmap");
}

/* How much of its stack the core erases, and so what memset() does, depends on where in a cache
 * line a frame begins. Callers of traced_start() have frames of different sizes, and a draw must
 * have the same instructions for all of them. */
static __attribute__((noinline)) void run_aligned(void)
{
	char pad[64 + (uintptr_t)__builtin_frame_address(0) % 64];

	__asm__ __volatile__("" ::"r"(pad) : "memory");
	subject_run(&core, &plan, observed);
}

pid_t traced_start(uint64_t seed)
{
	struct script *script = core.script();

	script->seed = seed;
	script->calls = script->getrandom_calls = 0;
	core.reseed_kernel(FIRST_GENERATION);
	observed->first_keys = observed->failures = observed->used = 0;
	observed->records = observed->ready = 0;
	observed->processes = 1;
	observed->last = 0;
	fflush(NULL);
	pid_t tracer = getpid(), pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0) {
		stepping_accept(tracer);
		run_aligned();
	}
	if (!stepping_begin(pid))
		errx(NOT_HERE, "ptrace is refused");
	if (!stepping_watch(pid, (uintptr_t)stepping_mark, NULL, NULL))
		errx(NOT_HERE, "the debug registers cannot be set");
	if (!stepping_continue(pid, 0).arrived)
		errx(2, "the subject did not come to its draw");
	stepping_watch(pid, (uintptr_t)core.draw, NULL, NULL);
	return pid;
}

int traced_finish(pid_t pid, struct stop stop)
{
	if (!stop.ended) {
		stepping_end(pid);
		if (waitpid(pid, &stop.status, 0) != pid)
			err(2, "waitpid");
	}
	return stop.status;
}
