/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "kernel.h"

#include "environment.h"
#include "state.h"
#include "vdso.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t kernel_getrandom(void *buf, size_t len, unsigned int flags)
{
	return syscall(SYS_getrandom, buf, len, flags);
}

/* Looked up when first needed. Threads that race find the same. */
static struct {
	_Atomic(vdso_getrandom_fn *) getrandom;
	_Atomic uint32_t opaque_bytes, mmap_flags;
	_Atomic bool looked_up, off, too_large;
} vdso;

static vdso_getrandom_fn *find_vdso(void)
{
	struct vdso_params params;

	if (atomic_load_explicit(&vdso.looked_up, memory_order_acquire))
		return atomic_load_explicit(&vdso.getrandom, memory_order_relaxed);
	bool off = env_restriction(ENV_VDSO) == ENV_VDSO_OFF;
	vdso_getrandom_fn *getrandom = off ? NULL : vdso_getrandom(&params);

	vdso.off = off;
	if (getrandom) {
		vdso.mmap_flags = params.mmap_flags;
		vdso.opaque_bytes = params.size_of_opaque_state;
		vdso.too_large = params.size_of_opaque_state > OPAQUE_BYTES;
		if (!vdso.too_large)
			vdso.getrandom = getrandom;
	}
	atomic_store_explicit(&vdso.looked_up, true, memory_order_release);
	return vdso.getrandom;
}

ssize_t kernel_vdso_getrandom(void *buf, size_t len, void *opaque)
{
	vdso_getrandom_fn *getrandom = find_vdso();

	return getrandom ? getrandom(buf, len, GRND_NONBLOCK, opaque, vdso.opaque_bytes) : -1;
}

bool kernel_has_vdso(void)
{
	return find_vdso() != NULL;
}

int kernel_mmap_flags(void)
{
	return find_vdso() ? (int)vdso.mmap_flags : 0;
}

void kernel_notes(struct notes *notes)
{
	find_vdso();
	if (env_is_unknown(ENV_VDSO))
		note(notes, "VGETRANDOM_VDSO has a value that is not known (only off is): ignored");
	if (vdso.off)
		note(notes, "VGETRANDOM_VDSO=off: refills take their entropy from getrandom(2)");
	else if (vdso.too_large)
		note(notes, "the vDSO's getrandom wants a larger state than this library has room "
			    "for: refills take their entropy from getrandom(2)");
	else if (!vdso.getrandom)
		note(notes,
		     "no vDSO getrandom was found in this process (Linux 6.11 has it, but not "
		     "for 32-bit programs, nor under valgrind): refills take their entropy from "
		     "getrandom(2)");
}
