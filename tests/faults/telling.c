/* SPDX-License-Identifier: MIT */
/* Runs one draw over and over and injects faults at given instructions of it.
 *
 *     inject LIBRARY LEN FOLLOWING,FOLLOWING [PREPARATION,...]
 *
 * LIBRARY is the core over the scripted kernel. Of the draw of LEN bytes, which comes after the
 * preparatory ones, the instructions are written to standard output first. Then each line of
 * standard input is a run,
 *
 *     AT ACTIONS [GAP ACTIONS]
 *
 * with one fault, a set of actions (actions.h), before instruction AT, and perhaps a second one GAP
 * instructions later, in the same draw or in a handler that interrupts it. What happened follows on
 * standard output; tests/faults/injector.py reads it.
 */
#define _GNU_SOURCE
#include "actions.h"
#include "stepping.h"
#include "subject.h"

#include "../../csrc/draw.h"
#include "../../csrc/watch.h"

#include <dlfcn.h>
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PERSONALITY_QUERY 0xffffffffUL

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define MAX_INSTRUCTIONS (4 * 1024 * 1024)
#define MAX_FAULTS 2
#define NOT_HERE 77 /* exit status */
#define MAX_PAGE_BYTES 65536
#define FIRST_GENERATION 1000

/* A page may resist while something else refers to it. */
#define DROP_ATTEMPTS 50

/* At a place in a loop it pays to come from close by rather than to count all its rounds. */
#define MAX_ARRIVALS 64

enum outcome { NOT_REACHED, DONE, PAGE_WRITTEN, NOTHING_THERE };

struct instruction {
	uint64_t pc;
	uint32_t touched; /* by it; bits as in struct stop */
	/* The cheapest way to it from the draw's first instruction, in stops: from instruction
	 * FROM, by ARRIVALS at its place, or by a single step where that is 0. */
	uint32_t stops, from, arrivals;
};

struct fault {
	uint32_t outcome;
	uint64_t calls; /* of the scripted kernel before */
	/* Bit N: draw N touched it afterwards, while it was traced. */
	uint64_t generation_touched, word_touched;
};

struct result {
	uint32_t seed, faults;
	int32_t status;
	uint32_t records, log;
	uint64_t first_keys, failures, used;
	struct fault fault[MAX_FAULTS];
};

struct answer {
	uint32_t source;
	int32_t pid;
	int64_t answer;
	uint64_t len;
};

static struct core core;
static struct plan plan;
static struct observed *observed;
static const char *state_page; /* where the subject's state lies: the same in every run */
static struct instruction *trace;
static size_t instructions;
static size_t page_bytes;
static unsigned char page[MAX_PAGE_BYTES]; /* the state's, as it was last read */
static const void *library_base;

/* ---- one subject ---- */

static pid_t start(uint64_t seed)
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
		subject_run(&core, &plan, observed);
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

static int finish(pid_t pid, struct stop stop)
{
	if (!stop.ended) {
		stepping_end(pid);
		if (waitpid(pid, &stop.status, 0) != pid)
			err(2, "waitpid");
	}
	return stop.status;
}

/* ---- the trace ---- */

static void step_through(const void *generation)
{
	struct stop stop;
	pid_t pid = start(0);

	instructions = 0;
	stepping_watch(pid, (uintptr_t)core.draw, generation,
		       &core.script()->vvar[0][SCRIPT_GENERATION_WORD]);
	do
		stop = stepping_continue(pid, 0);
	while (!stop.arrived && !stop.ended);
	uint64_t pc = stepping_pc(pid), back = stepping_return_address(pid);

	for (; !stop.ended && pc != back; pc = stepping_pc(pid)) {
		if (instructions == MAX_INSTRUCTIONS)
			errx(2, "more than %d instructions", MAX_INSTRUCTIONS);
		stop = stepping_step(pid, 0);
		trace[instructions++] = (struct instruction){ .pc = pc, .touched = stop.touched };
	}
	if (finish(pid, stop))
		errx(2, "the subject failed without any fault");
}

/* ---- the ways to each instruction ---- */

/* The last execution of each instruction so far, by its place: a hash table. */
static struct {
	uint32_t *last; /* one more than its number; 0: none */
	size_t size;
} executed;

static uint32_t *executed_at(uint64_t pc)
{
	size_t at = (pc * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (executed.size - 1);

	while (executed.last[at] && trace[executed.last[at] - 1].pc != pc)
		at = (at + 1) & (executed.size - 1);
	return &executed.last[at];
}

/* A string instruction repeats itself: that is no arrival. */
static bool repeats(uint32_t i)
{
	return i > 0 && trace[i - 1].pc == trace[i].pc;
}

/* Of the instructions from FROM on, the one that takes the fewest stops. BEST are those, in order,
 * that take fewer than any that follows. */
static uint32_t fewest_stops(const uint32_t *best, size_t count, uint32_t from)
{
	size_t low = 0, high = count - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (best[middle] >= from)
			high = middle;
		else
			low = middle + 1;
	}
	return best[low];
}

/* Shortest paths: an instruction is come to by a step from the one before it, or by its Nth
 * execution from anywhere between the Nth and the one before that, counted back from it. */
static void find_ways(void)
{
	uint32_t *previous = calloc(instructions, sizeof(*previous)); /* one more; 0: none */
	uint32_t *nearest = calloc(instructions, sizeof(*nearest));   /* since then */
	uint32_t *best = calloc(instructions, sizeof(*best));
	size_t count = 0;

	executed.size = 1;
	while (executed.size < 2 * instructions)
		executed.size *= 2;
	executed.last = calloc(executed.size, sizeof(*executed.last));
	if (!previous || !nearest || !best || !executed.last)
		err(2, "calloc");
	for (uint32_t i = 0; i < instructions; i++) {
		struct instruction *this = &trace[i];
		uint32_t *last = executed_at(this->pc);

		previous[i] = *last;
		*last = i + 1;
		if (i > 0) {
			this->from = i - 1;
			this->stops = trace[i - 1].stops + 1;
		}
		if (i > 0 && !repeats(i))
			nearest[i] = fewest_stops(best, count, previous[i]);
		for (uint32_t n = 1, at = i; at > 0 && !repeats(i) && n <= MAX_ARRIVALS; n++) {
			uint32_t stops = trace[nearest[at]].stops + n;

			if (stops < this->stops) {
				this->from = nearest[at];
				this->arrivals = n;
				this->stops = stops;
			}
			do
				at = previous[at] ? previous[at] - 1 : 0;
			while (repeats(at));
		}
		while (count && trace[best[count - 1]].stops >= this->stops)
			count--;
		best[count++] = i;
	}
	free(previous);
	free(nearest);
	free(best);
	free(executed.last);
}

/* ---- telling it ---- */

static void write_out(const void *data, size_t len)
{
	if (len && fwrite(data, len, 1, stdout) != 1)
		err(2, "standard output");
}

static void tell_trace(void)
{
	const uint64_t sizes[] = { BATCH_BYTES,      KEYSTREAM_BYTES, BULK_MIN_BYTES,
				   BULK_GRAIN_BYTES, BULK_BYTES,      sizeof(struct state),
				   instructions };

	write_out(sizes, sizeof(sizes));
	for (size_t i = 0; i < instructions; i++) {
		Dl_info info;
		bool ours = dladdr((void *)trace[i].pc, &info) && info.dli_fbase == library_base;
		const uint64_t row[] = {
			ours ? trace[i].pc - (uintptr_t)library_base : UINT64_MAX,
			trace[i].pc,
			trace[i].touched,
		};

		write_out(row, sizeof(row));
	}
	fflush(stdout);
}

/* ---- coming to an instruction ---- */

static void go_to(pid_t pid, size_t at)
{
	const struct instruction *there = &trace[at];
	struct stop stop = { 0 };

	if (at == 0) {
		stepping_watch(pid, there->pc, NULL, NULL);
		stop = stepping_continue(pid, 0);
	} else {
		go_to(pid, there->from);
		stepping_watch(pid, there->arrivals ? there->pc : 0, NULL, NULL);
		if (there->arrivals == 0)
			stop = stepping_step(pid, 0);
		for (uint32_t arrived = 0; arrived < there->arrivals; arrived += stop.arrived) {
			stop = stepping_continue(pid, 0);
			if (stop.ended)
				break;
		}
	}
	if (stop.ended || stepping_pc(pid) != there->pc)
		errx(2, "instruction %zu is not where it was", at);
}

/* ---- faults ---- */

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

/* As another thread's vgetrandom_reseed() does. */
static uint32_t request_reseed(pid_t pid)
{
	uint64_t generation = REQUESTED_GENERATION;
	struct iovec local = { &generation, sizeof(generation) };
	struct iovec remote = { (char *)state_page + offsetof(struct state, generation),
				sizeof(generation) };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) > 0 ? DONE : NOTHING_THERE;
}

/* Returns the signal that is to be delivered, or 0 where the fault is done. */
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

/* Says of all faults so far which draw has touched what since. */
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
	pid_t pid = start(result->seed);
	const void *generation = state_page + offsetof(struct state, generation);
	struct stop stop = { 0 };
	int signal = 0;

	go_to(pid, at);
	/* From here on it arrives at the draw's end, and nowhere else. */
	stepping_watch(pid, (uintptr_t)stepping_mark, generation,
		       &core.script()->vvar[0][SCRIPT_GENERATION_WORD]);
	for (; result->faults < count && !stop.ended && !stop.arrived; result->faults++) {
		if (result->faults > 0) {
			bool entering = false;

			/* A fork counts once it has happened; the handler needs a while. Nor is
			 * the subject itself, which writes down what it drew, to be interrupted;
			 * and at the first instruction of a handler ptrace delivers no signal. */
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
	result->status = finish(pid, stop);
}

/* An answer of the scripted kernel, with all its bytes. */
static void tell_answer(uint64_t n)
{
	const struct script_entry *entry = &core.script()->log[n];
	static uint8_t bytes[MAX_BYTES];
	const struct answer answer = {
		.source = entry->source,
		.pid = entry->pid,
		.answer = entry->answer,
		.len = entry->len,
	};
	uint64_t len = answer.answer > 0 ? (uint64_t)answer.answer : 0;

	for (uint64_t i = 0; i < len; i++)
		bytes[i] = core.byte(core.script()->seed, n, i);
	write_out(&answer, sizeof(answer));
	write_out(bytes, len);
}

static void tell(struct result *result)
{
	struct script *script = core.script();

	result->records = observed->records;
	result->log = (uint32_t)script->calls;
	result->first_keys = observed->first_keys;
	result->failures = observed->failures;
	result->used = observed->used;
	if (result->log > SCRIPT_LOG_ENTRIES || result->records > MAX_RECORDS)
		errx(2, "the log is full");
	write_out(result, sizeof(*result));
	write_out(observed->record, result->records * sizeof(observed->record[0]));
	for (uint32_t n = 0; n < result->log; n++)
		tell_answer(n);
	write_out(observed->arena, result->used);
	write_out(page, sizeof(struct state));
	fflush(stdout);
}

/* ---- arguments ---- */

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

/* Where the stack is decides how much is burnt below a frame that aligns itself, and so how many
 * instructions a draw has: places that were counted in one process must be the same in the next. */
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
	load(argv[1]);
	parse_sizes(argv[2], &plan.len, 1);
	parse_sizes(argv[3], plan.following, 2);
	if (argc == 5)
		parse_sizes(argv[4], plan.preparation, MAX_PREPARATIONS);
	stepping_stay_on_one_processor();
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	observed = mmap(NULL, sizeof(*observed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	trace = calloc(MAX_INSTRUCTIONS, sizeof(*trace));
	if (observed == MAP_FAILED || !trace)
		err(2, "memory");
	/* Twice: only after the first it is known where the state will be. */
	pid_t pid = start(0);
	if (finish(pid, (struct stop){ 0 }))
		errx(2, "the subject failed without any fault");
	state_page = observed->state;
	step_through(state_page + offsetof(struct state, generation));
	find_ways();
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
		tell(&result);
	}
	return 0;
}
