/* SPDX-License-Identifier: MIT */
/* The watch: words that change when the kernel reseeds or the virtual machine is cloned, after
 * which bytes that were computed before must not be served. The kernel does not promise where its
 * word is, so it is looked for and compared again and again; a wrong guess can only cause extra
 * reseeds. */
#ifndef VGETRANDOM_WATCH_H
#define VGETRANDOM_WATCH_H

#include "hidden.h"
#include "notes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef const _Atomic uint64_t watched_word;

/* Never NULL: without a word to watch, a pointer to a constant stands there, which saves a branch.
 */
struct watch {
	_Atomic(watched_word *) kernel; /* the kernel's generation, which it shares with its vDSO */
	/* Where the generation is while `kernel` reads zero because the process is in a time
	 * namespace. Not to be read otherwise: outside of them its page does not exist. */
	_Atomic(watched_word *) moved;
	_Atomic(watched_word *) vm; /* the generation in /dev/vmclock0, or its disruption marker */
};
extern struct watch watch HIDDEN;

/* Set in every generation under which a key may be used, even if nothing is watched, so that zero
 * always means that the page was wiped. */
#define VALID_GENERATION (UINT64_C(1) << 63)

/* The generation with which vgetrandom_reseed() marks a state. */
#define REQUESTED_GENERATION UINT64_C(1)

static inline uint64_t watched_word_now(_Atomic(watched_word *) *word)
{
	return atomic_load_explicit(atomic_load_explicit(word, memory_order_relaxed),
				    memory_order_relaxed);
}

static inline uint64_t kernel_generation(void)
{
	/* Acquire: `moved`, read after it, must not be an older one (see watch_word()). */
	watched_word *word = atomic_load_explicit(&watch.kernel, memory_order_acquire);
	uint64_t generation = atomic_load_explicit(word, memory_order_relaxed);

	if (__builtin_expect(generation == 0, 0))
		generation = watched_word_now(&watch.moved);
	return generation | VALID_GENERATION;
}

static inline uint64_t vm_generation(void)
{
	return watched_word_now(&watch.vm);
}

/* Finds the pages of [vvar] and /dev/vmclock0, for which files must be opened. The next call
 * repeats what has failed for a shortage, and nothing else. */
void watch_search_files(void);

/* The same for the vmclock device at PATH alone. */
void watch_search_vmclock(const char *path);

/* Finds out which of these pages the process of EPOCH can read: one system call for each, once in
 * each process. */
void watch_probe_pages(uint64_t epoch);

/* To be called after each call of the vDSO, with the kernel's generation from before it and the
 * opaque state that it has left. Until the word is found, this looks for it: it must be equal to
 * the generation in the opaque state. Afterwards it compares the two. If they disagree, it looks
 * once more in each process, and then gives up watching for good. Makes no system call. */
void watch_observe(uint64_t before, const void *opaque, size_t opaque_bytes);

/* Whether the word has not been found yet, but still may be. */
bool watch_looking(void);

/* Looks in PAGE for words that may be the generation in OPAQUE; all are 8-byte aligned. Returns how
 * many there are: only a single one can be trusted. *WORD is the last of them, *OFFSET its place in
 * OPAQUE. */
int watch_find(const void *page, size_t page_bytes, const void *opaque, size_t opaque_bytes,
	       watched_word **word, size_t *offset);

bool watch_has_kernel(void);
bool watch_has_vmclock(void);

/* Whether the vmclock has a counter and not only a disruption marker; whether there is one that
 * this process may not open. */
bool watch_has_vmclock_counter(void);
bool watch_was_refused_vmclock(void);

/* "vdso-generation", "vmclock" or "none". */
const char *watch_name(void);
void watch_notes(struct notes *notes);

#endif
