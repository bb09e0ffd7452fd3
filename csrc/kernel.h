/* SPDX-License-Identifier: MIT */
/* The kernel's random number generator. The test build links another kernel.c in its place
 * (tests/c/scripted_kernel.c). */
#ifndef VGETRANDOM_KERNEL_H
#define VGETRANDOM_KERNEL_H

#include "notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* getrandom(2), as a system call: libc's function may call the vDSO, or be replaced. */
ssize_t kernel_getrandom(void *buf, size_t len, unsigned int flags);

/* The vDSO's getrandom, with OPAQUE as its state; negative if there is none or it failed. It does
 * not wait until the generator is ready: the caller then asks getrandom(2), which knows from the
 * flags whether to wait. */
ssize_t kernel_vdso_getrandom(void *buf, size_t len, void *opaque);

/* Whether there is a vDSO getrandom that can keep its state in OPAQUE_BYTES. */
bool kernel_has_vdso(void);

/* The flags with which its opaque state is to be mapped, or 0. */
int kernel_mmap_flags(void);

void kernel_notes(struct notes *notes);

#endif
