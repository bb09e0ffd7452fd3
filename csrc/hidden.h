/* SPDX-License-Identifier: MIT */
/* Data that the hot path reads: declared hidden, it is reached without the global offset table. */
#ifndef VGETRANDOM_HIDDEN_H
#define VGETRANDOM_HIDDEN_H

#define HIDDEN __attribute__((visibility("hidden")))

#endif
