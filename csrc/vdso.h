/* SPDX-License-Identifier: MIT */
/* Functions of the vDSO (vdso(7)), above all getrandom (Linux 6.11), and what that wants. */
#ifndef VGETRANDOM_VDSO_H
#define VGETRANDOM_VDSO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef ssize_t vdso_getrandom_fn(void *buf, size_t len, unsigned int flags, void *opaque,
				  size_t opaque_len);

/* How its opaque state is to be allocated: the kernel's struct vgetrandom_opaque_params. */
struct vdso_params {
	uint32_t size_of_opaque_state;
	uint32_t mmap_prot;
	uint32_t mmap_flags;
	uint32_t reserved[13];
};

/* The address of a function in the vDSO, or 0. */
uintptr_t vdso_function(const char *name);

/* The same for any ELF image that lies in memory at BASE as a file does, like the vDSO. */
uintptr_t vdso_function_of(uintptr_t base, const char *name);

/* The vDSO's getrandom, and in *PARAMS what it answers when asked for them; NULL if there is none.
 */
vdso_getrandom_fn *vdso_getrandom(struct vdso_params *params);

#endif
