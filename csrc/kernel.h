/* SPDX-License-Identifier: MIT */
/* The kernel's random number generator. The only file behind this header that is replaced in the
 * test build (tests/c/scripted_kernel.c), at link time. */
#ifndef VGETRANDOM_KERNEL_H
#define VGETRANDOM_KERNEL_H

#include "notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* getrandom(2), always the system call: libc's function may be a user-space generator. */
ssize_t kernel_getrandom(void *buf, size_t len, unsigned int flags);

/* The vDSO's getrandom with OPAQUE as its state; negative where there is none or where it failed.
 * It never waits until the generator is ready: getrandom(2) does, as its flags say. */
ssize_t kernel_vdso_getrandom(void *buf, size_t len, void *opaque);

/* Whether there is a vDSO getrandom that can keep its state in OPAQUE_BYTES. */
bool kernel_has_vdso(void);

/* The vDSO's flags for mmap, or 0. */
int kernel_mmap_flags(void);

void kernel_notes(struct notes *notes);

#endif
