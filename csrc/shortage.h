/* SPDX-License-Identifier: MIT */
/* The one place that says which refusals pass. */
#ifndef VGETRANDOM_SHORTAGE_H
#define VGETRANDOM_SHORTAGE_H

#include <errno.h>
#include <stdbool.h>

/* Whether what was refused with ERROR may be had later: there was no memory, no room under a limit,
 * no descriptor. Every other refusal (no such advice, no such file, not permitted) is the answer of
 * this kernel or this sandbox, and is not asked for twice. */
static inline bool is_shortage(int error)
{
	return error == ENOMEM || error == EAGAIN || error == EMFILE || error == ENFILE;
}

#endif
