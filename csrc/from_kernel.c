/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "from_kernel.h"

#include "counters.h"
#include "kernel.h"
#include "process.h"
#include "system_call.h"

#include <errno.h>
#include <stdint.h>

/* Up to this size no signal makes getrandom(2) return early, once its generator is ready. */
#define KERNEL_ATOMIC_BYTES 256

ssize_t getrandom_counted(void *buf, size_t len, unsigned int flags)
{
	count(&counters()->syscalls);
	return kernel_getrandom(buf, len, flags);
}

/* Calls getrandom(2) until BUF is full; *PIECES is how many calls that took. */
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

/* Fills BUF with no signal handler running between two pieces, since it might fork. Where signals
 * cannot be blocked, one call must give all of it. */
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

	/* A child that was forked between two pieces has the first one as well. It sees another
	 * epoch and starts over. Without epochs a fork cannot be told, and must not happen. */
	do {
		epoch = process_epoch();
		if (!fill_from_kernel(buf, len, flags, &pieces))
			return false;
		if (pieces > 1 && !epoch)
			return fill_undisturbed(buf, len, flags);
	} while (len > KERNEL_ATOMIC_BYTES && epoch != process_epoch());
	return true;
}
