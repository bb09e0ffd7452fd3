/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "vmclock.h"

#include "system_call.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* From linux/vmclock-abi.h (Linux 6.13), which libc's headers may not have. Its fields are
 * little-endian, as are all machines that have it. */
#define VMCLOCK_MAGIC "VCLK"
#define VMCLOCK_SIZE_OFFSET 4
#define VMCLOCK_VERSION_OFFSET 8
#define VMCLOCK_DISRUPTION_OFFSET 16
#define VMCLOCK_FLAGS_OFFSET 24
#define VMCLOCK_GENERATION_OFFSET 104
#define VMCLOCK_GENERATION_PRESENT (UINT64_C(1) << 8)

static const unsigned char *map(const char *path, size_t size)
{
	int fd = system_open(path);

	if (fd < 0)
		return NULL;
	const void *page = system_mmap(size, PROT_READ, MAP_SHARED, fd);

	system_close(fd);
	return page;
}

static uint64_t word_at(const unsigned char *page, size_t offset, size_t bytes)
{
	uint64_t word = 0;

	memcpy(&word, page + offset, bytes);
	return word;
}

watched_word *vmclock_map(const char *path)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	const unsigned char *page = map(path, size);

	if (!page)
		return NULL;
	uint64_t bytes = word_at(page, VMCLOCK_SIZE_OFFSET, sizeof(uint32_t));
	uint64_t version = word_at(page, VMCLOCK_VERSION_OFFSET, sizeof(uint16_t));
	size_t offset = VMCLOCK_DISRUPTION_OFFSET;

	if (memcmp(page, VMCLOCK_MAGIC, strlen(VMCLOCK_MAGIC)) != 0 || version != 1 ||
	    bytes < VMCLOCK_FLAGS_OFFSET + sizeof(uint64_t)) {
		system_munmap(page, size);
		errno = ENODEV;
		return NULL;
	}
	if ((word_at(page, VMCLOCK_FLAGS_OFFSET, sizeof(uint64_t)) & VMCLOCK_GENERATION_PRESENT) &&
	    bytes >= VMCLOCK_GENERATION_OFFSET + sizeof(uint64_t))
		offset = VMCLOCK_GENERATION_OFFSET;
	return (watched_word *)(const void *)(page + offset);
}

static size_t offset_of(watched_word *word)
{
	return (uintptr_t)word & ((size_t)sysconf(_SC_PAGESIZE) - 1);
}

bool vmclock_is_counter(watched_word *word)
{
	return offset_of(word) == VMCLOCK_GENERATION_OFFSET;
}

void vmclock_unmap(watched_word *word)
{
	system_munmap((const unsigned char *)word - offset_of(word), (size_t)sysconf(_SC_PAGESIZE));
}
