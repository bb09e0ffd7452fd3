/* The pages that the kernel shares with its vDSO. */
#ifndef VGETRANDOM_VVAR_H
#define VGETRANDOM_VVAR_H

#include <stddef.h>

/* Puts up to MAX readable pages of [vvar] into PAGES; returns how many. The calling process can
 * read a page that is listed without a fault. */
int vvar_pages(const void **pages, int max);

#endif
