/* SPDX-License-Identifier: MIT */
/* Memory that the kernel zeroes in a forked child (MADV_WIPEONFORK, Linux 4.14). */
#ifndef VGETRANDOM_WIPE_ON_FORK_H
#define VGETRANDOM_WIPE_ON_FORK_H

#include <stdbool.h>
#include <stddef.h>

/* Maps SIZE bytes, a whole number of pages; NULL with errno set if that fails. */
void *wipe_on_fork_map(size_t size);

/* Whether it has been refused for good. Otherwise another attempt may succeed. */
bool wipe_on_fork_refused(void);

#endif
