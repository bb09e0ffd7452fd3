/* Leaving nothing behind where the compiler needs more registers than there are.
 *
 * What it spills is key and state, in a stack frame that C cannot name. So the work is done by a
 * function that is never inlined (ERASES_REGISTERS sees to that too), and its caller then has
 * burn_stack() lay a frame of BURN_BYTES over the place where that function's frame was, and clear
 * it. The including file says how large that must be: well over what -fstack-usage says.
 */
#ifndef VGETRANDOM_CHACHA20_BURN_H
#define VGETRANDOM_CHACHA20_BURN_H

#include "../wipe.h"

__attribute__((noinline)) static void burn_stack(void)
{
	char frame[BURN_BYTES];

	wipe(frame, sizeof(frame));
}

#endif
