/* SPDX-License-Identifier: MIT */
/* Bytes of the caller's that go into every key. Where the kernel's generator was cloned with the
 * machine, they are the only secret in which two clones can differ.
 *
 * They are kept as a pool of 32 bytes in ordinary memory, because it must survive drops and forks.
 * An attacker who can read the process's memory can read it.
 */
#ifndef VGETRANDOM_ADDITIONAL_H
#define VGETRANDOM_ADDITIONAL_H

#include "chacha20/chacha20.h"
#include "notes.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Adds LEN bytes to the pool; others may do so at the same time. The stores are relaxed: the caller
 * must order them before what follows (see vgetrandom_reseed()). */
void additional_give(const void *bytes, size_t len);

/* XORs the pool into KEY. */
void additional_add(uint8_t key[CHACHA20_KEY_BYTES]);

/* Keeps the pool out of core dumps and swap. additional_give() does it if this was not called
 * before; it takes system calls. */
void additional_prepare(void);

/* The pool: the first words of a page that contains nothing else. */
_Atomic uint64_t *additional_pool(void);

void additional_notes(struct notes *notes);

#endif
