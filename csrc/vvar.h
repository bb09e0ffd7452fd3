/* SPDX-License-Identifier: MIT */
/* [vvar], the pages that the kernel shares with its vDSO. */
#ifndef VGETRANDOM_VVAR_H
#define VGETRANDOM_VVAR_H

#include <stdbool.h>

/* Puts the addresses of up to MAX pages of [vvar] into PAGES, readable or not, and returns how many
 * there are; -1 with errno set if that cannot be found out. */
int vvar_pages(const void **pages, int max);

/* Whether the calling process can read PAGE: some pages of the mapping are not backed, and reading
 * one is SIGBUS. Makes a system call. */
bool vvar_readable(const void *page);

#endif
