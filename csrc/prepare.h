/* SPDX-License-Identifier: MIT */
/* What a process finds out once, before or at its first draw. */
#ifndef VGETRANDOM_PREPARE_H
#define VGETRANDOM_PREPARE_H

/* To be called when a thread claims its state: opens files, at the first draw of a process, and not
 * again in this process or its children. */
void prepare_first_draw(void);

/* Looks for everything that info() tells of, again if a shortage prevented it before, and has the
 * calling thread draw. Returns 0; -1 with errno set if the kernel gave no bytes. */
int prepare(void);

#endif
