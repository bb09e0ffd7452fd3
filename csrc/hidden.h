/* SPDX-License-Identifier: MIT */
/* For data that the hot path reads: if it is declared hidden, the compiler need not go through the
 * global offset table. */
#ifndef VGETRANDOM_HIDDEN_H
#define VGETRANDOM_HIDDEN_H

#define HIDDEN __attribute__((visibility("hidden")))

#endif
