/* SPDX-License-Identifier: MIT */
/* To be preloaded: hides the vDSO, as valgrind does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <sys/auxv.h>

unsigned long getauxval(unsigned long type)
{
	unsigned long (*real)(unsigned long) =
		(unsigned long (*)(unsigned long))(uintptr_t)dlsym(RTLD_NEXT, "getauxval");

	return type == AT_SYSINFO_EHDR ? 0 : real(type);
}
