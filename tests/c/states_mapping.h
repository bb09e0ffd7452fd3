/* SPDX-License-Identifier: MIT */
/* The mappings that states are in, found by their flags in /proc/self/smaps. */
#ifndef STATES_MAPPING_H
#define STATES_MAPPING_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

struct mapping {
	char *start;
	size_t size;
	bool droppable;
};

/* Up to MAX mappings that are droppable, or wiped on fork and kept out of dumps. */
static inline int states_mappings(struct mapping *mappings, int max)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long start = 0, end = 0, a, b;
	int count = 0;

	if (!smaps) {
		perror("/proc/self/smaps");
		exit(2);
	}
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &a, &b) == 2) {
			start = a;
			end = b;
		}
		if (strncmp(line, "VmFlags:", 8) || count == max)
			continue;
		bool droppable = strstr(line, " dp") != NULL;

		if (droppable || (strstr(line, " wf") && strstr(line, " dd")))
			mappings[count++] =
				(struct mapping){ (char *)start, end - start, droppable };
	}
	fclose(smaps);
	return count;
}

/* How much memory all of them take. */
static inline size_t states_mapped(void)
{
	static struct mapping mappings[1024];
	size_t size = 0;

	for (int i = 0, count = states_mappings(mappings, 1024); i < count; i++)
		size += mappings[i].size;
	return size;
}

/* Zeroes the mapping as the kernel may do, with ADVICE (MADV_PAGEOUT or MADV_DONTNEED).
 * Memory that is not droppable is zeroed only if it is not locked, and by MADV_DONTNEED. */
static inline int drop(const struct mapping *mapping, int advice)
{
	if (!mapping->droppable) {
		munlock(mapping->start, mapping->size);
		advice = MADV_DONTNEED;
	}
	return madvise(mapping->start, mapping->size, advice);
}

#endif
