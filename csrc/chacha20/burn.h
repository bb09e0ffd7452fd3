/* SPDX-License-Identifier: MIT */
/* Erasing what the compiler spills to the stack because there are too few registers.
 *
 * That is key and state, in a frame that C cannot name and whose size only the compiler knows. So
 * the function that computes is never inlined (ERASES_REGISTERS implies that) and returns the
 * address where its frame ends, FRAME_END. Its caller passes this to burn_stack(), whose own frame
 * covers everything down to that address, and is cleared. This does not depend on the compiler or
 * its options. Helpers of the function that computes must be macros or always_inline: their frames
 * would lie below the end that it returns.
 */
#ifndef VGETRANDOM_CHACHA20_BURN_H
#define VGETRANDOM_CHACHA20_BURN_H

#include "../wipe.h"

#include <stdint.h>

/* The frame of this function begins where its caller's ends. */
__attribute__((noinline)) static uintptr_t frame_address(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	__asm__ __volatile__("" : "+r"(here)::"memory");
	return here;
}

/* For `return FRAME_END;`. Without the barrier the call could become a tail call, made after the
 * caller's frame is gone. */
#define FRAME_END                                      \
	__extension__({                                \
		uintptr_t frame_end = frame_address(); \
		barrier();                             \
		frame_end;                             \
	})

__attribute__((noinline)) static void burn_stack(uintptr_t end)
{
	char frame[(uintptr_t)__builtin_frame_address(0) - end];

	wipe(frame, sizeof(frame));
}

/* To be called before burn_stack(), which calls memset(): with lazy binding the dynamic linker
 * saves all registers on the stack while it looks memset() up.
 *
 * ERASES_REGISTERS alone is not enough: some compilers do not have it, and on aarch64 it leaves out
 * v8 to v15, whose upper halves a function may have used without restoring them. */
static inline void clear_registers(void)
{
	/* clang-format off */
#if defined(__x86_64__)
#define CLEAR(i) "pxor %%xmm" #i ", %%xmm" #i "\n\t"
	__asm__ __volatile__(
#if defined(__AVX__)
		"vzeroall\n\t"
#else
		CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
#endif
		"xorl %%eax, %%eax\n\txorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\t"
		"xorl %%esi, %%esi\n\txorl %%edi, %%edi\n\txorl %%r8d, %%r8d\n\t"
		"xorl %%r9d, %%r9d\n\txorl %%r10d, %%r10d\n\txorl %%r11d, %%r11d"
		::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		    "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
		    "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
#elif defined(__aarch64__)
#define CLEAR(i) "movi v" #i ".16b, #0\n\t"
	__asm__ __volatile__(
		CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
		CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
		CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21) CLEAR(22) CLEAR(23)
		CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28) CLEAR(29) CLEAR(30) CLEAR(31)
		::: "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
		    "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20",
		    "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
#endif
	/* clang-format on */
}

#endif
