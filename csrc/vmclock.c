#define _GNU_SOURCE
#include "vmclock.h"

#include "system_call.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* What the device offers, as far as we need it: linux/vmclock-abi.h (Linux 6.13), little-endian
 * as everything here. */
#define VMCLOCK_MAGIC "VCLK"
#define VMCLOCK_SIZE_OFFSET 4
#define VMCLOCK_VERSION_OFFSET 8
#define VMCLOCK_FLAGS_OFFSET 24
#define VMCLOCK_GENERATION_OFFSET 104
#define VMCLOCK_GENERATION_PRESENT (UINT64_C(1) << 8)

static const unsigned char *map(const char *path, size_t size)
{
	int fd = system_open(path);

	if (fd < 0)
		return NULL;
	/* A device answers 0; an empty file would answer with SIGBUS later. */
	const void *page = system_mmap(size, PROT_READ, MAP_SHARED, fd);

	system_close(fd);
	return page;
}

watched_word *vmclock_map(const char *path)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	const unsigned char *page = map(path, size);
	uint32_t bytes;
	uint16_t version;
	uint64_t flags;

	if (!page)
		return NULL;
	memcpy(&bytes, page + VMCLOCK_SIZE_OFFSET, sizeof(bytes));
	memcpy(&version, page + VMCLOCK_VERSION_OFFSET, sizeof(version));
	memcpy(&flags, page + VMCLOCK_FLAGS_OFFSET, sizeof(flags));
	if (memcmp(page, VMCLOCK_MAGIC, strlen(VMCLOCK_MAGIC)) == 0 && version == 1 &&
	    bytes >= VMCLOCK_GENERATION_OFFSET + sizeof(uint64_t) &&
	    (flags & VMCLOCK_GENERATION_PRESENT))
		return (watched_word *)(const void *)(page + VMCLOCK_GENERATION_OFFSET);
	system_munmap(page, size);
	errno = ENODEV;
	return NULL;
}

void vmclock_unmap(watched_word *word)
{
	const unsigned char *page = (const unsigned char *)word - VMCLOCK_GENERATION_OFFSET;

	system_munmap(page, (size_t)sysconf(_SC_PAGESIZE));
}
