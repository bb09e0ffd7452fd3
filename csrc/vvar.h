/* SPDX-License-Identifier: MIT */
/* The pages that the kernel shares with its vDSO. */
#ifndef VGETRANDOM_VVAR_H
#define VGETRANDOM_VVAR_H

#include <stdbool.h>

/* Puts up to MAX pages of [vvar] into PAGES, readable or not, and returns how many; -1 with errno
 * set where nobody tells. */
int vvar_pages(const void **pages, int max);

/* Whether the calling process can read PAGE without a fault: behind some pages of [vvar] there is
 * nothing. Makes a system call. */
bool vvar_readable(const void *page);

#endif
