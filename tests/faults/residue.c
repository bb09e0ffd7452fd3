/* SPDX-License-Identifier: MIT */
/* What one draw leaves behind. Steps through it and notes the secrets that were in the state's page
 * meanwhile. When the draw returns, writes out these and all that can be read of the process.
 *
 *     residue LIBRARY LEN [PREPARATION,...]
 *
 * LIBRARY is the core over the real kernel. Standard output gets items, each a letter, the lengths
 * of its name and of its data, name and data; tests/faults/residue.py reads them. Then the caller's
 * buffer is erased, and a line on standard input says how the process ends: `exit`, or `abort` with
 * a core dump. Any number of lines `pageout` may come before that: all memory of the process is
 * paged out, and an empty item says that this is done.
 */
#define _GNU_SOURCE
#include "stepping.h"

#include "../../csrc/state.h"

#include <dlfcn.h>
#include <elf.h>
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define MAX_PREPARATIONS 4
#define BUFFER_BYTES (1024 * 1024)
#define PAGE 4096
#define NOT_HERE 77 /* exit status */

/* After so many instructions without a change, what is at a key's place is a whole key. Before, it
 * may be half of one that is just being written or erased. */
#define STAYS 50

static ssize_t (*core_draw)(void *buf, size_t len, unsigned int flags);
static void *(*core_state)(void);
static size_t preparations[MAX_PREPARATIONS], len;

static uint8_t *buffer; /* the caller's */
static uint8_t
	*canary; /* a page of ordinary memory; finding it shows that a search would succeed */
static const uint8_t **state_told;
static const uint8_t *state; /* the same in every run */

/* ---- the process that draws ---- */

static _Noreturn void subject(pid_t tracer)
{
	if (getrandom(canary, 32, 0) != 32)
		_exit(1);
	stepping_accept(tracer);
	for (int i = 0; i < MAX_PREPARATIONS && preparations[i]; i++) {
		core_draw(buffer, preparations[i], 0);
		stepping_mark();
	}
	core_draw(buffer, len, 0);
	*state_told = core_state();
	stepping_mark();
	_exit(0);
}

static pid_t start(void)
{
	fflush(NULL);
	pid_t tracer = getpid(), pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0)
		subject(tracer);
	if (!stepping_begin(pid))
		errx(NOT_HERE, "ptrace is refused");
	if (!stepping_watch(pid, (uintptr_t)stepping_mark, NULL, NULL))
		errx(NOT_HERE, "the debug registers cannot be set");
	return pid;
}

/* ---- telling ---- */

static void tell(char letter, const char *name, const void *data, size_t bytes)
{
	const uint64_t header[] = { (uint64_t)letter, strlen(name), bytes };

	fwrite(header, sizeof(header), 1, stdout);
	fwrite(name, strlen(name), 1, stdout);
	fwrite(data, bytes, 1, stdout);
}

static bool read_memory(pid_t pid, const void *from, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)from, bytes };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

static void erase_memory(pid_t pid, void *at, size_t bytes)
{
	static const uint8_t zeros[BUFFER_BYTES];
	struct iovec local = { (void *)zeros, bytes }, remote = { at, bytes };

	process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

static void tell_memory(pid_t pid, char letter, const char *name, const void *from, size_t bytes)
{
	void *data = malloc(bytes);

	if (data && read_memory(pid, from, data, bytes))
		tell(letter, name, data, bytes);
	free(data);
}

/* ---- the secrets of the draw ---- */

struct place {
	const char *name;
	size_t offset;
	uint8_t value[CHACHA20_KEY_BYTES];
	long stayed;
	bool told;
};

static void look(struct place *place, const uint8_t *page)
{
	static const uint8_t zeros[CHACHA20_KEY_BYTES];
	const uint8_t *now = page + place->offset;

	if (memcmp(place->value, now, sizeof(place->value))) {
		memcpy(place->value, now, sizeof(place->value));
		place->stayed = 0;
		place->told = false;
	}
	if (place->stayed++ >= STAYS && !place->told && memcmp(now, zeros, sizeof(zeros))) {
		tell('K', place->name, now, CHACHA20_KEY_BYTES);
		place->told = true;
	}
}

/* From the first instruction of the draw until it has returned. */
static void step_through(pid_t pid)
{
	struct place places[] = {
		{ .name = "the key at work", .offset = offsetof(struct state, working_key) },
		{ .name = "the next key", .offset = offsetof(struct state, key) },
	};
	uint8_t page[offsetof(struct state, batch)];
	uint64_t back = stepping_return_address(pid);

	do {
		if (stepping_step(pid, 0).ended)
			errx(2, "the draw did not return");
		if (!read_memory(pid, state, page, sizeof(page)))
			continue; /* it is not mapped yet */
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			look(&places[i], page);
	} while (stepping_pc(pid) != back);
}

/* ---- what can be read of it ---- */

static void tell_registers(pid_t pid)
{
	static uint8_t vectors[16384];
	struct user_regs_struct general;
	struct iovec into_general = { &general, sizeof(general) };
	struct iovec into_vectors = { vectors, sizeof(vectors) };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &into_general))
		err(2, "NT_PRSTATUS");
	tell('R', "general registers", &general, into_general.iov_len);
	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &into_vectors))
		err(2, "NT_X86_XSTATE");
	tell('R', "vector registers", vectors, into_vectors.iov_len);
}

/* Calls VISIT for every writable mapping but those that all processes here share. */
static void visit_mappings(pid_t pid, void (*visit)(pid_t, const char *, uint8_t *, size_t))
{
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "r");

	if (!maps)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to;
		char access[8], name[512] = "anonymous";

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %511s", &from, &to,
			   access, name) < 3)
			errx(2, "not a mapping: %s", line);
		if (access[1] == 'w' && access[3] == 'p')
			visit(pid, name, (uint8_t *)from, to - from);
	}
	fclose(maps);
}

static bool lies_in(const void *at, const uint8_t *from, size_t bytes)
{
	return (const uint8_t *)at >= from && (const uint8_t *)at < from + bytes;
}

static void tell_mapping(pid_t pid, const char *name, uint8_t *from, size_t bytes)
{
	if (lies_in(buffer, from, bytes))
		return; /* the caller's: a mapping of its own */
	if (!lies_in(state, from, bytes)) {
		tell_memory(pid, 'M', name, from, bytes);
		return;
	}
	tell_memory(pid, 'M', "before the state's page", from, (size_t)(state - from));
	tell_memory(pid, 'P', "the state's page", state, PAGE);
	tell_memory(pid, 'M', "behind the state's page", state + PAGE,
		    (size_t)(from + bytes - state) - PAGE);
}

static void page_out(pid_t pid, const char *name, uint8_t *from, size_t bytes)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct iovec range = { from, bytes };

	(void)name;
	for (int i = 0; i < 10; i++)
		syscall(SYS_process_madvise, pidfd, &range, 1UL, MADV_PAGEOUT, 0U);
	close(pidfd);
}

/* ---- one run ---- */

/* Starts a subject and lets it make its preparatory draws; writes these out if ALOUD. */
static pid_t come_to_draw(bool aloud)
{
	pid_t pid = start();

	for (int i = 0; i < MAX_PREPARATIONS && preparations[i]; i++) {
		if (!stepping_continue(pid, 0).arrived)
			errx(2, "a preparatory draw failed");
		if (aloud)
			tell_memory(pid, 'S', "an earlier draw", buffer, preparations[i]);
		erase_memory(pid, buffer, preparations[i]);
	}
	return pid;
}

static void find_state(void)
{
	pid_t pid = come_to_draw(false);
	int status;

	if (!stepping_continue(pid, 0).arrived)
		errx(2, "the draw failed");
	stepping_end(pid);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(2, "the draw failed");
	state = *state_told;
}

static void run(void)
{
	pid_t pid = come_to_draw(true);
	char line[32] = "";

	stepping_watch(pid, (uintptr_t)core_draw, NULL, NULL);
	if (!stepping_continue(pid, 0).arrived)
		errx(2, "the draw was not come to");
	stepping_watch(pid, 0, NULL, NULL);
	step_through(pid);
	tell_registers(pid);
	tell_memory(pid, 'S', "the draw", buffer, len);
	tell_memory(pid, 'B', "the next batch", state + offsetof(struct state, batch), BATCH_BYTES);
	tell_memory(pid, 'C', "the canary", canary, 32);
	visit_mappings(pid, tell_mapping);
	tell('E', "", "", 0);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = 0;
	erase_memory(pid, buffer, BUFFER_BYTES);
	while (strcmp(line, "pageout\n") == 0) {
		visit_mappings(pid, page_out);
		tell('E', "", "", 0);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			line[0] = 0;
	}
	ptrace(PTRACE_DETACH, pid, NULL, strcmp(line, "abort\n") ? SIGKILL : SIGABRT);
	waitpid(pid, NULL, 0);
}

static void *map(size_t bytes, int sharing)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(2, "mmap");
	return memory;
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4)
		errx(2, "usage: residue LIBRARY LEN [PREPARATION,...]");
	void *library = dlopen(argv[1], RTLD_NOW);

	if (!library)
		errx(2, "%s", dlerror());
	core_draw = (ssize_t (*)(void *, size_t, unsigned int))dlsym(library, "vgetrandom");
	core_state = (void *(*)(void))dlsym(library, "peek_state");
	len = strtoul(argv[2], NULL, 10);
	for (int i = 0; argc == 4 && i < MAX_PREPARATIONS && *argv[3]; i++) {
		preparations[i] = strtoul(argv[3], &argv[3], 10);
		argv[3] += *argv[3] == ',';
	}
	/* Mappings of their own. The shared pages around the buffer keep it from merging with
	 * others. */
	state_told = map(PAGE, MAP_SHARED);
	canary = map(PAGE, MAP_PRIVATE);
	map(PAGE, MAP_SHARED);
	buffer = map(BUFFER_BYTES, MAP_PRIVATE);
	map(PAGE, MAP_SHARED);
	stepping_stay_on_one_processor();
	find_state();
	run();
	return 0;
}
