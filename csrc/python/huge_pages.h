/* SPDX-License-Identifier: MIT */
/* Huge pages for large new objects, asked for the way NumPy does for its arrays. Without them the
 * page faults of a large result cost more than its keystream.
 */
#ifndef VGETRANDOM_PYTHON_HUGE_PAGES_H
#define VGETRANDOM_PYTHON_HUGE_PAGES_H

#include "../shortage.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Below this a result holds one huge page at most, and malloc soon serves it from memory that has
 * its pages already. */
#ifndef HUGE_PAGES_FROM_BYTES
#define HUGE_PAGES_FROM_BYTES ((size_t)4 << 20)
#endif

/* Before the first byte is written: a page that exists stays as small as it is. Only whole pages of
 * the object itself are advised, so nothing beside it is rounded up. This is advice: whatever the
 * kernel answers, the result is the same, and errno is left alone. */
static inline void advise_huge_pages(char *object, size_t size)
{
	static _Atomic int unavailable;
	int saved = errno;

	if (atomic_load_explicit(&unavailable, memory_order_relaxed))
		return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)object + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)object + size) & ~(page - 1);

	/* A shortage passes. A kernel without huge pages (EINVAL) and a sandbox that refuses the
	 * call (EPERM, ENOSYS) stay as they are, and need not be asked again. */
	if (syscall(SYS_madvise, start, end - start, MADV_HUGEPAGE) && !is_shortage(errno))
		atomic_store_explicit(&unavailable, 1, memory_order_relaxed);
	errno = saved;
}

#endif
