/* Which vector instructions this x86-64 processor and its operating system offer. */
#ifndef VGETRANDOM_CPU_X86_H
#define VGETRANDOM_CPU_X86_H

#include <stdbool.h>

enum cpu_x86_feature {
	CPU_AVX2,
	CPU_AVX512, /* F and VL */
};

/* May be called at any time, also before constructors have run. */
bool cpu_x86_has(enum cpu_x86_feature feature);

#endif
