/* SPDX-License-Identifier: MIT */
/* What the injector and the subject can do before an instruction. A fault is a set of these
 * actions. The table in tests/faults/kinds.py alone says which sets are tried and what they are
 * called. */
#ifndef ACTIONS_H
#define ACTIONS_H

#include <signal.h>

/* Bits. The names and values are those of Action in kinds.py; a test compares them. */
enum action {
	DROP_PAGE = 1,      /* the injector has the state's page dropped */
	RESEED_KERNEL = 2,  /* the scripted kernel's generation changes */
	REQUEST_RESEED = 4, /* the state is marked as another thread's vgetrandom_reseed() does */
	/* The subject does the following in a signal handler, in this order. After a fork both
	 * parent and child finish the draw that the handler interrupted. */
	CLONE = 8,      /* raw clone(2): nothing but the kernel knows of it */
	LIBC_FORK = 16, /* libc's fork(), with its handlers */
	DRAW = 32,
};

#define FORKS (CLONE | LIBC_FORK)
#define IN_HANDLER (FORKS | DRAW)

/* Each set of handler actions has its own signal. With one signal and a variable, a second fault
 * could change the variable before the first handler has read it. */
static inline int signal_for(unsigned int actions)
{
	return SIGRTMIN + (int)((actions & IN_HANDLER) / CLONE);
}

static inline unsigned int actions_for(int signal)
{
	return (unsigned int)(signal - SIGRTMIN) * CLONE;
}

#endif
