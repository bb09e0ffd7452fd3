/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "watch.h"

#include "environment.h"
#include "kernel.h"
#include "process.h"
#include "shortage.h"
#include "vmclock.h"
#include "vvar.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Not zero: a draw takes zero for a time namespace, and looks at a second word
 * (kernel_generation()). */
static watched_word unwatched = VALID_GENERATION;

struct watch watch = { &unwatched, &unwatched, &unwatched };

enum { LOOKING, WATCHING, OVER };
static _Atomic int phase;
static _Atomic size_t opaque_offset;
static _Atomic uint64_t refills;
static _Atomic bool disagreed;

/* Whether the device and the pages have been found or can never be found. */
static _Atomic bool vm_settled, pages_settled;
static _Atomic bool vm_refused;

/* The pages of [vvar] stay where they are, in children too. But a child in another time namespace
 * may be unable to read a page that its parent can read, and the other way round. */
#define MOST_PAGES 16
static _Atomic(const void *) pages[MOST_PAGES];
static _Atomic int page_count;
static _Atomic uint32_t readable;  /* a bit for each page */
static _Atomic uint64_t probed_in; /* the epoch of the process that `readable` is about */
#define BEFORE_EPOCHS 1            /* stands for the epoch while the process has no page for one */

/* The epoch of the process in which the word was looked for once more. */
static _Atomic uint64_t looked_again_in;

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

	/* In [vvar] a flag that says ready, and padding, follow the generation, which is never
	 * zero. In the opaque state all words but the generation and one more are random, so a
	 * candidate does not equal one of those by chance. */
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

/* ---- what files tell, read once ---- */

void watch_search_vmclock(const char *path)
{
	watched_word *unset = &unwatched, *word = vmclock_map(path);

	if (!word) {
		vm_settled = !is_shortage(errno);
		vm_refused = errno == EACCES || errno == EPERM;
		return;
	}
	vm_settled = true;
	if (!atomic_compare_exchange_strong(&watch.vm, &unset, word))
		vmclock_unmap(word);
}

/* Threads that race here find the same. */
static void find_pages(void)
{
	const void *found[MOST_PAGES];
	int expected = LOOKING;

	/* Without the vDSO's opaque state the word could not be recognised. */
	if (pages_settled || !kernel_has_vdso())
		return;
	int count = vvar_pages(found, MOST_PAGES);

	if (count < 0 && is_shortage(errno))
		return;
	for (int i = 0; i < count; i++)
		pages[i] = found[i];
	page_count = count < 0 ? 0 : count;
	uint64_t epoch = process_epoch();

	watch_probe_pages(epoch ? epoch : BEFORE_EPOCHS);
	pages_settled = true;
	if (page_count == 0)
		atomic_compare_exchange_strong(&phase, &expected, OVER);
}

void watch_search_files(void)
{
	if (env_restriction(ENV_WATCH) == ENV_WATCH_OFF) {
		phase = OVER;
		return;
	}
	if (!vm_settled)
		watch_search_vmclock("/dev/vmclock0");
	find_pages();
	/* Let the very next refill look, see look(). */
	refills = 0;
}

static uint32_t readable_now(void)
{
	const void *never = (const void *)-(uintptr_t)4096;
	uint32_t found = 0;

	/* A sandbox may answer every such call with the error that means readable. Reading a page
	 * that is not there would be SIGBUS, so first ask about one that is never readable. */
	if (vvar_readable(never))
		return 0;
	for (int i = 0; i < page_count; i++)
		found |= (uint32_t)vvar_readable(pages[i]) << i;
	return found;
}

void watch_probe_pages(uint64_t epoch)
{
	if (page_count == 0 || phase == OVER || probed_in == epoch)
		return;
	/* If they were probed before there were epochs, it was in this process or in its parent,
	 * with the same result. */
	if (probed_in != BEFORE_EPOCHS)
		readable = readable_now();
	/* Last, because a thread that sees this reads the pages. */
	probed_in = epoch;
}

/* ---- the word in [vvar] ---- */

/* The word, if there is only one that it may be, or NULL. Makes no system call: a sandbox may not
 * allow any. */
static watched_word *find_word(const void *opaque, size_t opaque_bytes, size_t *offset)
{
	watched_word *word = NULL;
	int found = 0;

	for (int i = 0; i < page_count; i++)
		if (readable >> i & 1)
			found += watch_find(pages[i], (size_t)sysconf(_SC_PAGESIZE), opaque,
					    opaque_bytes, &word, offset);
	return found == 1 ? word : NULL;
}

/* The word to watch instead if this process is in a time namespace, where it reads zero; or NULL.
 *
 * Where the generation shares the kernel's page of clock data (Linux 6.11 to 6.14), a time
 * namespace shows a page of its own first, with zeros at the generation's place, and that page
 * behind it; outside of them the second is not there, and reading it would be SIGBUS. Where the
 * generation has a page of its own, it is the page's first word, and always there. */
static watched_word *word_in_first_page(watched_word *word)
{
	uintptr_t offset = (uintptr_t)word & ((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	const unsigned char *first = NULL;

	for (int i = 0; i < page_count; i++)
		if ((readable >> i & 1) && (!first || (const unsigned char *)pages[i] < first))
			first = pages[i];
	if (offset == 0 || !first || first + offset == (const void *)word ||
	    word_at(first, offset) != 0 || word_at(first, offset + 8) != 0)
		return NULL;
	return (watched_word *)(const void *)(first + offset);
}

/* `moved` can stay: it is read only while `kernel` reads zero, which the constant never does. */
static void unwatch(void)
{
	watch.kernel = &unwatched;
}

static void watch_word(watched_word *word, size_t offset)
{
	watched_word *zero = word_in_first_page(word);
	int expected = LOOKING;

	opaque_offset = offset;
	/* `moved` first: another thread that sees the new `kernel`, which may read zero, follows
	 * `moved`, and the page of an older one may be gone. */
	watch.moved = zero ? word : &unwatched;
	watch.kernel = zero ? zero : word;
	/* Another thread may have found it, compared it and given it up meanwhile. */
	if (!atomic_compare_exchange_strong(&phase, &expected, WATCHING) && expected == OVER)
		unwatch();
}

static void look_for_kernel(const void *opaque, size_t opaque_bytes)
{
	size_t offset;
	watched_word *word = find_word(opaque, opaque_bytes, &offset);

	if (word)
		watch_word(word, offset);
}

static void look(const void *opaque, size_t opaque_bytes)
{
	uint64_t refill = ++refills;

	/* Early after boot the vDSO's generator is not ready, and there is no word yet. So look
	 * again, but only at refills 1, 2, 4, 8 and so on: a search reads whole pages. */
	if ((refill & (refill - 1)) == 0)
		look_for_kernel(opaque, opaque_bytes);
}

/* In another time namespace the word may be in another page than the parent's. True if that
 * explains why the two disagree. */
static bool look_again(const void *opaque, size_t opaque_bytes)
{
	uint64_t process = probed_in;
	size_t offset;
	watched_word *word;

	if (looked_again_in == process)
		return false;
	word = find_word(opaque, opaque_bytes, &offset);
	if (word && word != watch.kernel && word != watch.moved)
		watch_word(word, offset);
	else
		word = NULL;
	/* Last: a thread that sees this must see what was found. */
	looked_again_in = process;
	return word != NULL;
}

static bool agree(uint64_t before, uint64_t written)
{
	return before <= written && written <= kernel_generation();
}

static void compare(uint64_t before, const void *opaque, size_t opaque_bytes)
{
	uint64_t written = word_at(opaque, opaque_offset) | VALID_GENERATION;

	/* Zero: the page was dropped, so there is nothing to compare with. */
	if (written == VALID_GENERATION || agree(before, written))
		return;
	/* Compared a second time, because another thread may have found the right word meanwhile.
	 */
	if (look_again(opaque, opaque_bytes) || agree(before, written))
		return;
	phase = OVER;
	disagreed = true;
	unwatch();
}

void watch_observe(uint64_t before, const void *opaque, size_t opaque_bytes)
{
	/* atomic_load(): clang 14 refuses an atomic in a switch. */
	switch (atomic_load(&phase)) {
	case LOOKING:
		look(opaque, opaque_bytes);
		break;
	case WATCHING:
		compare(before, opaque, opaque_bytes);
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

bool watch_has_vmclock_counter(void)
{
	return watch_has_vmclock() && vmclock_is_counter(watch.vm);
}

bool watch_was_refused_vmclock(void)
{
	return vm_refused;
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
	if (env_restriction(ENV_WATCH) == ENV_WATCH_OFF)
		note(notes, "VGETRANDOM_WATCH=off: up to one batch per thread may be served after "
			    "the kernel reseeded or the machine was cloned");
	else if (disagreed)
		note(notes, "the word in [vvar] that was watched turned out not to be the kernel's "
			    "generation: up to one batch per thread may be served after the kernel "
			    "reseeded");
	else if (!watch_has_kernel() && kernel_has_vdso() && !pages_settled)
		note(notes, "there was no file descriptor or no memory for finding the kernel's "
			    "reseed generation: up to one batch per thread may be served after the "
			    "kernel reseeded; vgetrandom_prepare() tries again");
	else if (!watch_has_kernel())
		note(notes, "the kernel's reseed generation cannot be watched here: up to one "
			    "batch per thread may be served after the kernel reseeded");
}
