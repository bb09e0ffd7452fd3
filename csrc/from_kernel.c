/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "from_kernel.h"

#include "counters.h"
#include "kernel.h"
#include "process.h"
#include "system_call.h"

#include <errno.h>
#include <stdint.h>

/* getrandom(2) is atomic up to this size once its generator is ready. */
#define KERNEL_ATOMIC_BYTES 256

ssize_t getrandom_counted(void *buf, size_t len, unsigned int flags)
{
	count(&counters()->syscalls);
	return kernel_getrandom(buf, len, flags);
}

/* The whole request, in as many PIECES as it takes. */
static bool fill_from_kernel(uint8_t *buf, size_t len, unsigned int flags, size_t *pieces)
{
	*pieces = 0;
	for (size_t done = 0; done < len;) {
		ssize_t got = getrandom_counted(buf + done, len - done, flags);

		++*pieces;
		if (got > 0) {
			done += (size_t)got;
		} else if (got == 0) {
			errno = EIO;
			return false;
		} else if (errno != EINTR || done == 0) {
			return false;
		}
	}
	return true;
}

/* As one piece, or as several with no handler in between, which might fork. */
static bool fill_undisturbed(void *buf, size_t len, unsigned int flags)
{
	uint64_t before, all = ~UINT64_C(0);
	size_t pieces;
	bool blocked = system_block_signals(&all, &before) == 0, filled;

	do
		filled = fill_from_kernel(buf, len, flags, &pieces);
	while (filled && pieces > 1 && !blocked);
	if (blocked)
		system_block_signals(&before, NULL);
	return filled;
}

bool draw_from_kernel(void *buf, size_t len, unsigned int flags)
{
	uint64_t epoch;
	size_t pieces;

	/* A child forked between two pieces would share the first. */
	do {
		epoch = process_epoch();
		if (!fill_from_kernel(buf, len, flags, &pieces))
			return false;
		if (pieces > 1 && !epoch)
			return fill_undisturbed(buf, len, flags);
	} while (len > KERNEL_ATOMIC_BYTES && epoch != process_epoch());
	return true;
}
