/* SPDX-License-Identifier: MIT */
/* What the first draw of a process finds out for all later ones. */
#ifndef VGETRANDOM_PREPARE_H
#define VGETRANDOM_PREPARE_H

/* To be called where a thread claims its state: searches files at the first draw of a process, and
 * of those that were forked from it, at none after. */
void prepare_first_draw(void);

/* Has the calling thread draw, after everything that info() tells of has been looked for, what a
 * passing shortage denied again. Returns 0; -1 with errno set where the kernel gave no bytes. */
int prepare(void);

#endif
