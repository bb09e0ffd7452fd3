/* SPDX-License-Identifier: MIT */
/* Which vector instructions this x86-64 processor and its operating system offer. */
#ifndef VGETRANDOM_CPU_X86_H
#define VGETRANDOM_CPU_X86_H

#include <stdbool.h>

/* May be called at any time, also before constructors have run. */
bool cpu_x86_has_avx2(void);
bool cpu_x86_has_avx512(void); /* F and VL */

#endif
