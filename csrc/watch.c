#define _GNU_SOURCE
#include "watch.h"

#include "environment.h"
#include "vmclock.h"
#include "vvar.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static watched_word unwatched;

struct watch watch = { &unwatched, &unwatched };

enum { LOOKING, WATCHING, OVER };
static _Atomic int phase;
static _Atomic size_t opaque_offset;
static _Atomic uint64_t refills;
static _Atomic bool off, disagreed;

static uint64_t word_at(const void *memory, size_t offset)
{
	uint64_t word;

	memcpy(&word, (const unsigned char *)memory + offset, sizeof(word));
	return word;
}

int watch_find(const void *page, size_t page_bytes, const void *opaque, size_t opaque_bytes,
	       watched_word **word, size_t *offset)
{
	int found = 0;

	/* In [vvar] the generation, which is never zero, is followed by a flag that says ready and
	 * by padding. In the opaque state every other word but one is random. */
	for (size_t i = 0; i + 16 <= page_bytes; i += 8) {
		uint64_t candidate = word_at(page, i);

		if (candidate == 0 || word_at(page, i + 8) != 1)
			continue;
		for (size_t j = 0; j + 8 <= opaque_bytes; j += 8) {
			if (word_at(opaque, j) != candidate)
				continue;
			*word = (watched_word *)(const void *)((const unsigned char *)page + i);
			*offset = j;
			found++;
		}
	}
	return found;
}

static void look_for_kernel(const void *opaque, size_t opaque_bytes)
{
	const void *pages[16];
	watched_word *word = NULL;
	size_t offset = 0;
	int count = vvar_pages(pages, 16), found = 0, expected = LOOKING;

	for (int i = 0; i < count; i++)
		found += watch_find(pages[i], (size_t)sysconf(_SC_PAGESIZE), opaque, opaque_bytes,
				    &word, &offset);
	if (found != 1)
		return;
	opaque_offset = offset;
	watch.kernel = word;
	/* Another thread may have found it, compared it and dropped it meanwhile. */
	if (!atomic_compare_exchange_strong(&phase, &expected, WATCHING) && expected == OVER)
		watch.kernel = &unwatched;
}

static void look(const void *opaque, size_t opaque_bytes)
{
	uint64_t refill = ++refills;

	/* Early after boot the vDSO's generator is not ready: look again, but ever more rarely. */
	if (refill & (refill - 1))
		return;
	if (env_restriction(ENV_WATCH) == ENV_WATCH_OFF) {
		off = true;
		phase = OVER;
		return;
	}
	if (refill == 1) {
		watched_word *vm = vmclock_map("/dev/vmclock0");

		if (vm)
			watch.vm = vm;
	}
	if (opaque)
		look_for_kernel(opaque, opaque_bytes);
}

static void compare(uint64_t before, const void *opaque)
{
	uint64_t written = word_at(opaque, opaque_offset) | VALID_GENERATION;

	/* Zero: the page was dropped, and there is nothing to compare with. */
	if (written == VALID_GENERATION)
		return;
	if (before <= written && written <= kernel_generation())
		return;
	phase = OVER;
	disagreed = true;
	watch.kernel = &unwatched;
}

void watch_refill(uint64_t before, const void *opaque, size_t opaque_bytes)
{
	/* clang 14 refuses an atomic here. */
	switch (atomic_load(&phase)) {
	case LOOKING:
		look(opaque, opaque_bytes);
		break;
	case WATCHING:
		if (opaque)
			compare(before, opaque);
		break;
	case OVER:
		break;
	}
}

bool watch_looking(void)
{
	return phase == LOOKING;
}

bool watch_has_kernel(void)
{
	return watch.kernel != &unwatched;
}

bool watch_has_vmclock(void)
{
	return watch.vm != &unwatched;
}

const char *watch_name(void)
{
	if (watch_has_kernel())
		return "vdso-generation";
	return watch_has_vmclock() ? "vmclock" : "none";
}

void watch_notes(struct notes *notes)
{
	if (env_is_unknown(ENV_WATCH))
		note(notes,
		     "VGETRANDOM_WATCH has a value that is not known (only off is): ignored");
	if (off)
		note(notes, "VGETRANDOM_WATCH=off: up to one batch per thread may be served after "
			    "the kernel reseeded or the machine was cloned");
	else if (disagreed)
		note(notes, "the word in [vvar] that was watched turned out not to be the kernel's "
			    "generation: up to one batch per thread may be served after the kernel "
			    "reseeded");
	else if (!watch_has_kernel())
		note(notes, "the kernel's reseed generation cannot be watched here: up to one "
			    "batch per thread may be served after the kernel reseeded");
}
