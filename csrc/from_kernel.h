/* SPDX-License-Identifier: MIT */
/* Requests that the kernel serves: there is no state, the state has failed twice, or the flags ask
 * for it. */
#ifndef VGETRANDOM_FROM_KERNEL_H
#define VGETRANDOM_FROM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* getrandom(2), counted in stats(). */
ssize_t getrandom_counted(void *buf, size_t len, unsigned int flags);

/* Fills BUF from getrandom(2), in as many calls as it takes. A child that is forked meanwhile gets
 * other bytes. False with errno set where the kernel fails: what is in BUF must not be used then.
 */
bool draw_from_kernel(void *buf, size_t len, unsigned int flags);

#endif
