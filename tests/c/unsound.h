/* SPDX-License-Identifier: MIT */
/* Every instruction set in plain C, right until it is told to be wrong; in the test library only,
 * in place of the files in csrc/chacha20. */
#ifndef UNSOUND_H
#define UNSOUND_H

#include <stdbool.h>
#include <stdint.h>

/* The set called NAME computes block BLOCK of every call wrong from now on. */
void unsound_block(const char *name, uint64_t block);

/* The set called NAME forgets the carry out of the counter's low word from now on. */
void unsound_carry(const char *name);

/* The set called NAME forgets the nonce's high word from now on. */
void unsound_nonce(const char *name);

#endif
