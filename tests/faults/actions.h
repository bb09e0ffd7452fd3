/* SPDX-License-Identifier: MIT */
/* What the injector and the subject can do before an instruction. A fault is any set of these;
 * which sets are tried, and what they are called, is said by the table in tests/faults/kinds.py
 * alone. */
#ifndef ACTIONS_H
#define ACTIONS_H

#include <signal.h>

/* Bits, with the values and names of Action in kinds.py. */
enum action {
	DROP_PAGE = 1,      /* the injector has the state's page dropped */
	RESEED_KERNEL = 2,  /* the scripted kernel's generation changes */
	REQUEST_RESEED = 4, /* the state is marked as another thread's vgetrandom_reseed() does */
	/* What follows, the subject does in a signal's handler, in this order. Parent and child
	 * both finish what the handler has interrupted. */
	CLONE = 8,      /* raw clone(2): nothing but the kernel knows of it */
	LIBC_FORK = 16, /* libc's fork(), with its handlers */
	DRAW = 32,
};

#define FORKS (CLONE | LIBC_FORK)
#define IN_HANDLER (FORKS | DRAW)

/* Each set of what is done in a handler has a signal of its own. One signal and a variable would
 * not do: a second fault may interrupt a handler before it has read what it is to do. */
static inline int signal_for(unsigned int actions)
{
	return SIGRTMIN + (int)((actions & IN_HANDLER) / CLONE);
}

static inline unsigned int actions_for(int signal)
{
	return (unsigned int)(signal - SIGRTMIN) * CLONE;
}

#endif
