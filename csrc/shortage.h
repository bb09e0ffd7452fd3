/* SPDX-License-Identifier: MIT */
/* Which errors are worth another attempt. */
#ifndef VGETRANDOM_SHORTAGE_H
#define VGETRANDOM_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Whether what failed with ERROR may succeed later, since only memory, a limit or descriptors were
 * exhausted. Every other error (invalid advice, no such file, not permitted) is the answer of this
 * kernel or sandbox and will not change. */
static inline bool is_shortage(int error)
{
	return error == ENOMEM || error == EAGAIN || error == EMFILE || error == ENFILE;
}

#endif
