/* SPDX-License-Identifier: MIT */
/* Requests that the kernel serves whole: there is no state, or it was of no use. */
#ifndef VGETRANDOM_FROM_KERNEL_H
#define VGETRANDOM_FROM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* getrandom(2), counted. */
ssize_t getrandom_counted(void *buf, size_t len, unsigned int flags);

/* All of BUF from getrandom(2), in as many calls as it takes. No forked child gets a part of it
 * too. False with errno set where the kernel fails; BUF is then void. */
bool draw_from_kernel(void *buf, size_t len, unsigned int flags);

#endif
