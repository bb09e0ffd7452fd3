/* SPDX-License-Identifier: MIT */
/* Bytes of the caller's own that go into every key: what parts cloned machines in secret, when
 * the kernel's generator was cloned with everything else.
 *
 * A pool of 32 bytes in ordinary memory, not in a droppable page: it must survive a drop and a
 * fork. Whoever reads the process's memory has it.
 */
#ifndef VGETRANDOM_ADDITIONAL_H
#define VGETRANDOM_ADDITIONAL_H

#include "chacha20/chacha20.h"
#include "notes.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Adds LEN bytes to the pool, whoever else does so at the same time. They are stored when it
 * returns, and in no order with what follows: see vgetrandom_reseed(). */
void additional_give(const void *bytes, size_t len);

/* Adds the pool to KEY. */
void additional_add(uint8_t key[CHACHA20_KEY_BYTES]);

/* Does ahead of time what additional_give() does once, with system calls: keeps the pool out of
 * core dumps and swap. */
void additional_prepare(void);

/* Where the pool is: the first words of a page that has nothing else. */
_Atomic uint64_t *additional_pool(void);

void additional_notes(struct notes *notes);

#endif
