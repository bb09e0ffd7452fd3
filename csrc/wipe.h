/* SPDX-License-Identifier: MIT */
/* Erasing secrets, and the compiler barriers that this and the draw protocol need. */
#ifndef VGETRANDOM_WIPE_H
#define VGETRANDOM_WIPE_H

#include <stddef.h>
#include <string.h>

/* The compiler may not move memory accesses across it, nor drop a store that came before. */
#define barrier() __asm__ __volatile__("" ::: "memory")

/* Neither compiler nor CPU moves a load from after it to before an earlier load. On x86-64 this is
 * no instruction. */
#define read_barrier() __atomic_thread_fence(__ATOMIC_ACQUIRE)

/* Exactly one load from memory. Otherwise the compiler may load again, and a page that was dropped
 * in between gives another value. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

/* For functions that compute with secrets: the registers that they used are zeroed on return. */
#if defined(__has_attribute)
#if __has_attribute(zero_call_used_regs)
#define ERASES_REGISTERS __attribute__((noinline, zero_call_used_regs("used")))
#endif
#endif
#ifndef ERASES_REGISTERS
#define ERASES_REGISTERS __attribute__((noinline))
#endif

/* A memset() that the compiler does not remove as a dead store. */
static inline void wipe(void *data, size_t len)
{
	memset(data, 0, len);
	__asm__ __volatile__("" ::"r"(data) : "memory");
}

#endif
