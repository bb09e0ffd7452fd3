/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "vvar.h"

#include "shortage.h"
#include "system_call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>

/* The kernel's struct procmap_query: which mapping covers an address. The ioctl came with
 * Linux 6.11, as the vDSO's getrandom did. Reading the text of /proc/self/maps instead would take
 * longer the more mappings a process has. */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)

/* The start of the mapping of [vvar] that covers ADDRESS, or 0. */
static uintptr_t vvar_start(int maps, uintptr_t address)
{
	char name[64] = "";
	struct procmap_query query = {
		.size = sizeof(query),
		.query_addr = address,
		.vma_name_size = sizeof(name),
		.vma_name_addr = (uintptr_t)name,
	};

	/* "[vvar]" and "[vvar_vclock]". */
	if (system_ioctl(maps, PROCMAP_QUERY, &query) || strncmp(name, "[vvar", 5) != 0)
		return 0;
	return (uintptr_t)query.vma_start;
}

/* rt_sigprocmask(2) copies the new signal set in before it checks `how`. With an invalid one it
 * fails with EINVAL if PAGE could be read and with EFAULT if not, and changes nothing. */
bool vvar_readable(const void *page)
{
	const long invalid_how = -1, kernel_sigset_bytes = 8;

	return syscall(SYS_rt_sigprocmask, invalid_how, page, NULL, kernel_sigset_bytes) == -1 &&
	       errno == EINVAL;
}

int vvar_pages(const void **pages, int max)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = getauxval(AT_SYSINFO_EHDR), start;
	int maps = system_open("/proc/self/maps");
	int count = 0;

	if (maps < 0)
		return -1;
	/* The mappings of [vvar] lie right below the vDSO. */
	errno = 0;
	while (end && (start = vvar_start(maps, end - page)) != 0) {
		for (uintptr_t at = start; at < end && count < max; at += page)
			pages[count++] = (const void *)at;
		end = start;
	}
	system_close(maps);
	return is_shortage(errno) ? -1 : count;
}
