/* SPDX-License-Identifier: MIT */
/* When bytes that were computed must not be served any more: the kernel reseeded, or the virtual
 * machine was cloned. Watched where it can be, opportunistically; a wrong guess costs reseeds. */
#ifndef VGETRANDOM_WATCH_H
#define VGETRANDOM_WATCH_H

#include "hidden.h"
#include "notes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef const _Atomic uint64_t watched_word;

/* Never NULL: a word that is not watched is a constant. */
struct watch {
	_Atomic(watched_word *) kernel; /* the generation in [vvar], private to kernel and vDSO */
	/* Where it is while `kernel` is zero, because the process is in a time namespace. Not to be
	 * read otherwise: its page is gone outside of them. */
	_Atomic(watched_word *) moved;
	_Atomic(watched_word *) vm; /* the generation in /dev/vmclock0, or its disruption marker */
};
extern struct watch watch HIDDEN;

/* In every generation that a key may be used under, whatever the watched word says: zero always
 * means wiped. */
#define VALID_GENERATION (UINT64_C(1) << 63)

/* What vgetrandom_reseed() leaves in a state. */
#define REQUESTED_GENERATION UINT64_C(1)

static inline uint64_t watched_word_now(_Atomic(watched_word *) *word)
{
	return atomic_load_explicit(atomic_load_explicit(word, memory_order_relaxed),
				    memory_order_relaxed);
}

static inline uint64_t kernel_generation(void)
{
	/* Acquire: `moved` is not older than `kernel`. */
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

/* Finds what only files can tell: where the pages of [vvar] are, and /dev/vmclock0. What a passing
 * shortage denied is looked for again by the next call, all else never again. */
void watch_search_files(void);

/* The same for the vmclock device at PATH alone. */
void watch_search_vmclock(const char *path);

/* Finds out which of these pages the process of EPOCH can read; a system call each, once. */
void watch_probe_pages(uint64_t epoch);

/* To be told whenever the vDSO was called: the kernel's generation from before, and the opaque
 * state that the vDSO has just left behind. Looks for the word while there is none, compares
 * afterwards, and drops it for good when the two disagree; but once in each process it looks again
 * before it does. Makes no system call. */
void watch_observe(uint64_t before, const void *opaque, size_t opaque_bytes);

/* Whether the word may yet be found. */
bool watch_looking(void);

/* Puts the words of PAGE that may be the generation in OPAQUE, all 8-byte aligned, into *WORD and
 * *OFFSET (its place in OPAQUE); returns how many there are. More than one proves nothing. */
int watch_find(const void *page, size_t page_bytes, const void *opaque, size_t opaque_bytes,
	       watched_word **word, size_t *offset);

/* Which of the two words are watched. */
bool watch_has_kernel(void);
bool watch_has_vmclock(void);

/* Whether vmclock has a counter, beside its disruption marker; whether there is a device that may
 * not be opened. */
bool watch_has_vmclock_counter(void);
bool watch_was_refused_vmclock(void);

/* "vdso-generation", "vmclock" or "none". */
const char *watch_name(void);
void watch_notes(struct notes *notes);

#endif
