/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "places.h"

#include "stepping.h"
#include "traced.h"

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>

/* Counting all rounds of a long loop would take more stops than coming from an instruction close
 * by. */
#define MAX_ARRIVALS 64

/* Not allocated, because a new mapping between two runs would move the subject's state. */
struct instruction trace[MAX_INSTRUCTIONS];
size_t instructions;

static void step_through(const void *generation, const void *word)
{
	struct stop stop;
	pid_t pid = traced_start(0);

	instructions = 0;
	stepping_watch(pid, (uintptr_t)core.draw, generation, word);
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
	if (traced_finish(pid, stop))
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

/* Whether it is one more round of a string instruction, which the debug register does not see. */
static bool repeats(uint32_t i)
{
	return i > 0 && trace[i - 1].pc == trace[i].pc;
}

/* The instruction at or after FROM that takes the fewest stops. BEST holds, in order, those that
 * take fewer than any instruction after them. */
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

/* Shortest paths. An instruction is reached by a single step from the one before it, or by stopping
 * N times at its address, starting anywhere between its Nth and its N+1st execution before this
 * one. */
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

void places_record(const void *generation, const void *word)
{
	step_through(generation, word);
	find_ways();
}

/* ---- coming to an instruction ---- */

void places_go_to(pid_t pid, size_t at)
{
	const struct instruction *there = &trace[at];
	struct stop stop = { 0 };

	if (at == 0) {
		stepping_watch(pid, there->pc, NULL, NULL);
		stop = stepping_continue(pid, 0);
	} else {
		places_go_to(pid, there->from);
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
