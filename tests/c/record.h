/* SPDX-License-Identifier: MIT */
/* Records of what threads, signal handlers and forked processes draw, in memory that all of them
 * share. In the end no 16 bytes may occur twice. */
#ifndef RECORD_H
#define RECORD_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORD_BYTES 16

struct records {
	_Atomic size_t count;
	size_t max;
	uint8_t data[][RECORD_BYTES];
};

static struct records *records;

static void *map_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

static inline void records_start(size_t max)
{
	records = map_shared(sizeof(*records) + max * RECORD_BYTES);
	records->max = max;
}

/* Records DATA in pieces of 16 bytes; a shorter rest is left out. */
static void record(const void *data, size_t len)
{
	size_t pieces = len / RECORD_BYTES, at = atomic_fetch_add(&records->count, pieces);

	if (at + pieces > records->max) {
		fprintf(stderr, "too many records\n");
		_exit(2);
	}
	memcpy(records->data[at], data, pieces * RECORD_BYTES);
}

/* If 16 bytes are zeros or occur twice, prints them and exits with 1. */
static inline void records_check(void)
{
	size_t count = records->count, slots = 1;

	while (slots < 2 * count)
		slots *= 2;
	/* Open addressing; an entry is one more than a record's number. */
	uint32_t *table = map_shared(slots * sizeof(*table));
	static const uint8_t zeros[RECORD_BYTES];

	for (size_t i = 0; i < count; i++) {
		uint64_t at;

		if (!memcmp(records->data[i], zeros, RECORD_BYTES)) {
			printf("record %zu of %zu is zeros\n", i, count);
			exit(1);
		}
		memcpy(&at, records->data[i], sizeof(at));
		for (at &= slots - 1; table[at]; at = (at + 1) & (slots - 1)) {
			if (!memcmp(records->data[table[at] - 1], records->data[i], RECORD_BYTES)) {
				printf("records %u and %zu of %zu are the same\n", table[at] - 1, i,
				       count);
				exit(1);
			}
		}
		table[at] = (uint32_t)(i + 1);
	}
	printf("records=%zu\n", count);
}

#endif
