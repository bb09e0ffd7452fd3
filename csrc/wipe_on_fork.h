/* SPDX-License-Identifier: MIT */
/* Memory that reads as zeros in a forked child (MADV_WIPEONFORK, Linux 4.14). */
#ifndef VGETRANDOM_WIPE_ON_FORK_H
#define VGETRANDOM_WIPE_ON_FORK_H

#include <stdbool.h>
#include <stddef.h>

/* SIZE bytes of zeros, a whole number of pages; NULL with errno set where they cannot
 * be had. */
void *wipe_on_fork_map(size_t size);

/* Whether there will never be any here; if not, another attempt may succeed. */
bool wipe_on_fork_refused(void);

#endif
