/* SPDX-License-Identifier: MIT */
/* The vDSO's getrandom (Linux 6.11 and later, vdso(7)): where it is and what it asks for. */
#ifndef VGETRANDOM_VDSO_H
#define VGETRANDOM_VDSO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef ssize_t vdso_getrandom_fn(void *buf, size_t len, unsigned int flags, void *opaque,
				  size_t opaque_len);

/* What the vDSO wants for its opaque state: the kernel's struct vgetrandom_opaque_params. */
struct vdso_params {
	uint32_t size_of_opaque_state;
	uint32_t mmap_prot;
	uint32_t mmap_flags;
	uint32_t reserved[13];
};

/* The address of a function of the vDSO's, or 0. */
uintptr_t vdso_function(const char *name);

/* The same for any ELF image that is in memory at BASE as the kernel has the vDSO's there. */
uintptr_t vdso_function_of(uintptr_t base, const char *name);

/* The function, with *PARAMS filled in by its own query; NULL where this kernel has none. */
vdso_getrandom_fn *vdso_getrandom(struct vdso_params *params);

#endif
