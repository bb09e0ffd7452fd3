/* SPDX-License-Identifier: MIT */
/* Erasing what must not be found later. */
#ifndef VGETRANDOM_WIPE_H
#define VGETRANDOM_WIPE_H

#include <stddef.h>
#include <string.h>

/* The compiler may not move memory accesses across it, nor drop a store that came before. */
#define barrier() __asm__ __volatile__("" ::: "memory")

/* Loads after it are not done before loads that precede it, by compiler or CPU. On x86-64 the CPU
 * needs no telling. */
#define read_barrier() __atomic_thread_fence(__ATOMIC_ACQUIRE)

/* One load from memory, however the value is used: what a droppable page held a moment ago, or
 * what another copy of it says, proves nothing. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

/* For functions that compute with secrets: their registers are cleared on return. */
#if defined(__has_attribute)
#if __has_attribute(zero_call_used_regs)
#define ERASES_REGISTERS __attribute__((noinline, zero_call_used_regs("used")))
#endif
#endif
#ifndef ERASES_REGISTERS
#define ERASES_REGISTERS __attribute__((noinline))
#endif

/* memset() that is not elided although the data dies. */
static inline void wipe(void *data, size_t len)
{
	memset(data, 0, len);
	__asm__ __volatile__("" ::"r"(data) : "memory");
}

#endif
