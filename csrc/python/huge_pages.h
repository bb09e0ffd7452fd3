/* SPDX-License-Identifier: MIT */
/* Asking for huge pages for large new objects, as NumPy does for its arrays. Without them the page
 * faults of a large result take longer than its keystream.
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

/* A smaller result contains at most one huge page, and malloc(3) soon reuses memory that has its
 * pages already. */
#ifndef HUGE_PAGES_FROM_BYTES
#define HUGE_PAGES_FROM_BYTES ((size_t)4 << 20)
#endif

/* To be called before the first byte is written: pages that exist already stay small. Only pages
 * that are wholly inside of the object are advised, so nothing else is affected. It is only advice:
 * the result is the same whatever the kernel answers, so errors are ignored and errno is restored.
 */
static inline void advise_huge_pages(char *object, size_t size)
{
	static _Atomic int unavailable;
	int saved = errno;

	if (atomic_load_explicit(&unavailable, memory_order_relaxed))
		return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = ((uintptr_t)object + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)object + size) & ~(page - 1);

	/* After a shortage it is worth asking again. A kernel without huge pages (EINVAL) and a
	 * sandbox that refuses the call (EPERM, ENOSYS) will not change. */
	if (syscall(SYS_madvise, start, end - start, MADV_HUGEPAGE) && !is_shortage(errno))
		atomic_store_explicit(&unavailable, 1, memory_order_relaxed);
	errno = saved;
}

#endif
