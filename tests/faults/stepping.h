/* SPDX-License-Identifier: MIT */
/* Stopping a process at one instruction and knowing what it touches: ptrace and the debug
 * registers of x86-64. */
#ifndef STEPPING_H
#define STEPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Debug register 0 holds the place to stop at; 1 and 2 the watched words. */
enum watched { WATCHED_GENERATION = 1, WATCHED_WORD = 2 };

struct stop {
	bool ended;       /* by itself or by a signal; STATUS is wait(2)'s */
	bool arrived;     /* it is at the place of debug register 0 */
	uint32_t touched; /* bit W: the word in debug register W was read or written */
	int status;
};

/* Tracer and tracee take turns, so one processor is enough, and faster. It is also necessary: a
 * page that was just touched is in a batch of that processor's on its way to the LRU lists. Only
 * madvise() on the same processor drains the batch, and until then the page is not reclaimed. */
void stepping_stay_on_one_processor(void);

/* Does nothing: a process that is to be traced calls it where the tracer may want it to stop, and
 * the tracer gives its address to stepping_watch(). A breakpoint instruction would not do. Children
 * that nobody traces execute the same code and die of SIGTRAP there, unless a handler is installed
 * for it; and single steps through fork(), which blocks all signals since glibc 2.41, reset that
 * handler, because the kernel forces a blocked SIGTRAP. Debug registers are not inherited. */
void stepping_mark(void);

/* To be called in a child of TRACER before what is to be traced. The child dies with its tracer. */
void stepping_accept(pid_t tracer);

/* Waits for stepping_accept() in the child PID. */
bool stepping_begin(pid_t pid);

/* Lets PID run, with SIGNAL delivered first if it is not 0, to the next stop of interest. */
struct stop stepping_continue(pid_t pid, int signal);

/* The same for one instruction; with a signal, to the first of its handler. */
struct stop stepping_step(pid_t pid, int signal);

/* Watches 8 bytes at GENERATION and at WORD for reads and writes, and PC for execution; 0 is none.
 * Returns whether the kernel permits it. */
bool stepping_watch(pid_t pid, uint64_t pc, const void *generation, const void *word);

uint64_t stepping_pc(pid_t pid);

/* PID is at the first instruction of a function: the address that it will return to. */
uint64_t stepping_return_address(pid_t pid);

/* Detaches PID, which goes on without being watched. */
void stepping_end(pid_t pid);

#endif
