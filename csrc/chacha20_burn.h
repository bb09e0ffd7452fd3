/* Leaving nothing behind where the compiler needs more registers than there are.
 *
 * What it spills is key and state, in a stack frame that C cannot name. So the work is done by a
 * function that is never inlined (WORKER), and its caller then has burn_stack() lay a larger frame
 * over the place where that function's frame was, and clear it.
 */
#ifndef VGETRANDOM_CHACHA20_BURN_H
#define VGETRANDOM_CHACHA20_BURN_H

#include "wipe.h"

#ifndef __has_attribute
#define __has_attribute(name) 0
#endif

/* The general registers cannot all be named in an asm's clobbers, so clearing them is left to the
 * compilers that can: gcc from 11, clang from 15. */
#if __has_attribute(zero_call_used_regs)
#define CLEARS_REGISTERS __attribute__((zero_call_used_regs("used")))
#else
#define CLEARS_REGISTERS
#endif

#define WORKER __attribute__((noinline)) CLEARS_REGISTERS

/* More than any worker's frame; tests/test_chacha20.py looks for remains below the stack. */
#define BURN_BYTES 512

__attribute__((noinline, unused)) static void burn_stack(void)
{
	char frame[BURN_BYTES];

	wipe(frame, sizeof(frame));
}

#endif
