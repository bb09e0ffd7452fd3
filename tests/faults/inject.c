/* SPDX-License-Identifier: MIT */
/* Runs one draw over and over and injects faults at given instructions of it.
 *
 *     inject LIBRARY LEN FOLLOWING,FOLLOWING [PREPARATION,...]
 *
 * LIBRARY is the core over the scripted kernel. The draw of LEN bytes comes after the preparatory
 * ones; its instructions are written to standard output first. Then each line of standard input is
 * a run,
 *
 *     AT ACTIONS [GAP ACTIONS]
 *
 * with one fault, a set of actions (actions.h), before instruction AT, and perhaps a second one GAP
 * instructions later, in the same draw or in a handler that interrupts it. What happened follows on
 * standard output; tests/faults/injector.py reads it.
 */
#define _GNU_SOURCE
#include "actions.h"
#include "places.h"
#include "stepping.h"
#include "subject.h"
#include "telling.h"
#include "traced.h"

#include "../../csrc/draw.h"
#include "../../csrc/watch.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PERSONALITY_QUERY 0xffffffffUL

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define MAX_PAGE_BYTES 65536

/* The kernel does not drop a page while something else holds a reference to it. */
#define DROP_ATTEMPTS 50

static const char *state_page; /* where the subject's state lies: the same in every run */
/* The state's generation, and the word of the kernel's that the core watches. */
static const void *generation, *word;
static size_t page_bytes;
static unsigned char page[MAX_PAGE_BYTES]; /* the state's, as it was last read */

/* ---- what the injector does to the subject ---- */

static bool read_page(pid_t pid)
{
	struct iovec local = { page, page_bytes };
	struct iovec remote = { (void *)state_page, page_bytes };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)page_bytes;
}

static bool page_is_zero(pid_t pid, bool *there)
{
	*there = read_page(pid);
	return *there && page[0] == 0 && memcmp(page, page + 1, page_bytes - 1) == 0;
}

static uint32_t drop(pid_t pid)
{
	static const unsigned char zeros[MAX_PAGE_BYTES];
	struct iovec remote = { (void *)state_page, page_bytes };
	struct iovec local = { (void *)zeros, page_bytes };
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint32_t outcome = PAGE_WRITTEN;
	bool there;

	page_is_zero(pid, &there);
	if (!there)
		outcome = NOTHING_THERE;
	for (int i = 0; outcome == PAGE_WRITTEN && i < DROP_ATTEMPTS; i++) {
		syscall(SYS_process_madvise, pidfd, &remote, 1UL, MADV_PAGEOUT, 0U);
		if (page_is_zero(pid, &there))
			outcome = DONE;
	}
	if (outcome == PAGE_WRITTEN)
		process_vm_writev(pid, &local, 1, &remote, 1, 0);
	close(pidfd);
	return outcome;
}

/* Does what vgetrandom_reseed() in another thread would do to this state. */
static uint32_t request_reseed(pid_t pid)
{
	uint64_t requested = REQUESTED_GENERATION;
	struct iovec local = { &requested, sizeof(requested) };
	struct iovec remote = { (void *)generation, sizeof(requested) };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) > 0 ? DONE : NOTHING_THERE;
}

/* Returns the signal to deliver when the subject goes on; 0 if nothing is left to do. */
static int inject(pid_t pid, unsigned int actions, struct fault *fault)
{
	fault->calls = core.script()->calls;
	fault->outcome = DONE;
	if (actions & DROP_PAGE)
		fault->outcome = drop(pid);
	if (actions & RESEED_KERNEL)
		core.reseed_kernel(core.script()->generation + 1);
	if (actions & REQUEST_RESEED)
		fault->outcome = request_reseed(pid);
	return actions & IN_HANDLER ? signal_for(actions) : 0;
}

static uint32_t peek(pid_t pid, const volatile uint32_t *variable)
{
	uintptr_t address = (uintptr_t)variable;
	long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(address & ~7UL), NULL);
	uint32_t value;

	memcpy(&value, (char *)&word + (address & 7), sizeof(value));
	return value;
}

/* Records, for each fault so far, which draw has touched which word since. */
static void note_touched(pid_t pid, struct result *result, struct stop stop)
{
	if (stop.ended || !stop.touched)
		return;
	uint32_t serial = peek(pid, &draw_at_work);

	for (uint32_t i = 0; i < result->faults; i++) {
		if (stop.touched & 1u << WATCHED_GENERATION)
			result->fault[i].generation_touched |= UINT64_C(1) << serial;
		if (stop.touched & 1u << WATCHED_WORD)
			result->fault[i].word_touched |= UINT64_C(1) << serial;
	}
}

static void run(struct result *result, size_t at, const unsigned int *actions, uint32_t count,
		long gap)
{
	pid_t pid = traced_start(result->seed);
	struct stop stop = { 0 };
	int signal = 0;

	places_go_to(pid, at);
	/* The next place to stop at is the end of the draw. */
	stepping_watch(pid, (uintptr_t)stepping_mark, generation, word);
	for (; result->faults < count && !stop.ended && !stop.arrived; result->faults++) {
		if (result->faults > 0) {
			bool entering = false;

			/* The gap after a fork begins when the handler has forked, not when the
			 * signal is delivered. The second fault comes while the core is at work,
			 * not while the subject records what it drew; and not at a handler's first
			 * instruction, where ptrace delivers no signal. */
			while ((gap > 0 || entering || !peek(pid, &in_core)) && !stop.ended &&
			       !stop.arrived) {
				entering = signal != 0;
				stop = stepping_step(pid, signal);
				signal = 0;
				note_touched(pid, result, stop);
				gap -= !(actions[0] & FORKS) || peek(pid, &forks_done);
			}
			if (stop.ended || stop.arrived)
				break;
		}
		signal = inject(pid, actions[result->faults], &result->fault[result->faults]);
	}
	while (!stop.ended && !stop.arrived) {
		stop = stepping_continue(pid, signal);
		signal = 0;
		note_touched(pid, result, stop);
	}
	if (stop.ended || !read_page(pid))
		memset(page, 0, page_bytes);
	result->status = traced_finish(pid, stop);
}

/* ---- arguments ---- */

static void parse_sizes(const char *text, size_t *sizes, int max)
{
	for (int i = 0; i < max && *text; i++) {
		char *end;

		sizes[i] = strtoul(text, &end, 10);
		if (sizes[i] > MAX_BYTES)
			errx(2, "at most %d bytes in one draw", MAX_BYTES);
		text = *end ? end + 1 : end;
	}
}

/* The address of the stack decides how much is burnt below a frame that aligns itself, and so how
 * many instructions a draw takes. Instructions are counted in one process and looked for in the
 * next one, so the address must be the same in both. */
static void have_the_stack_in_one_place(char **argv)
{
	int persona = personality(PERSONALITY_QUERY);

	if (persona < 0 || persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality((unsigned long)persona | ADDR_NO_RANDOMIZE) < 0)
		return;
	execv("/proc/self/exe", argv);
	err(2, "/proc/self/exe");
}

int main(int argc, char **argv)
{
	char line[128];

	have_the_stack_in_one_place(argv);
	if (argc != 4 && argc != 5)
		errx(2, "usage: inject LIBRARY LEN FOLLOWING,FOLLOWING [PREPARATION,...]");
	traced_prepare(argv[1]);
	parse_sizes(argv[2], &plan.len, 1);
	parse_sizes(argv[3], plan.following, 2);
	if (argc == 5)
		parse_sizes(argv[4], plan.preparation, MAX_PREPARATIONS);
	stepping_stay_on_one_processor();
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	/* The first run only tells where the state will be in all runs. */
	if (traced_finish(traced_start(0), (struct stop){ 0 }))
		errx(2, "the subject failed without any fault");
	state_page = observed->state;
	generation = state_page + offsetof(struct state, generation);
	word = &core.script()->vvar[0][SCRIPT_GENERATION_WORD];
	places_record(generation, word);
	tell_trace();
	for (uint32_t seed = 1; fgets(line, sizeof(line), stdin); seed++) {
		struct result result = { .seed = seed };
		unsigned int actions[MAX_FAULTS];
		size_t at;
		long gap = 0;
		int read = sscanf(line, "%zu %u %ld %u", &at, &actions[0], &gap, &actions[1]);

		if ((read != 2 && read != 4) || at >= instructions)
			errx(2, "not a run: %s", line);
		run(&result, at, actions, read == 4 ? 2 : 1, gap);
		tell(&result, page);
	}
	return 0;
}
