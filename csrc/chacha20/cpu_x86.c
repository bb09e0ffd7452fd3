/* SPDX-License-Identifier: MIT */
#if defined(__x86_64__)

#include "cpu_x86.h"

#include <cpuid.h>
#include <stdint.h>

/* XCR0 tells which registers the operating system saves when it switches tasks. A processor may
 * have AVX-512 although the kernel or the hypervisor does not save its registers. */
#define XCR0_YMM 0x06u /* xmm, ymm */
#define XCR0_ZMM 0xe6u /* and mask registers, upper halves of zmm0-15, zmm16-31 */

static uint32_t xcr0(void)
{
	uint32_t low, high;
	__asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* Whether leaf 7 has all of FEATURES in EBX, and the kernel saves all of REGISTERS. */
static bool has(uint32_t features, uint32_t registers)
{
	unsigned int a, b, c, d;

	/* In a virtual machine each CPUID traps and takes microseconds, so there are only these
	 * two. Leaf 1 always exists. Leaf 7 exists if there is OSXSAVE, which implies leaf 13. */
	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		return false;
	__cpuid_count(7, 0, a, b, c, d);
	return (b & features) == features && (xcr0() & registers) == registers;
}

bool cpu_x86_has_avx2(void)
{
	return has(bit_AVX2, XCR0_YMM);
}

bool cpu_x86_has_avx512(void)
{
	return has(bit_AVX512F | bit_AVX512VL, XCR0_ZMM);
}

#endif
