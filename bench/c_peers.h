/* SPDX-License-Identifier: MIT */
/* What c_bench measures vgetrandom() against. */
#ifndef C_PEERS_H
#define C_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_SIZE (16UL << 20)

struct peer {
	const char *name;
	const char *(*find)(void); /* NULL, or why it is absent */
	bool (*loop)(size_t len, long calls);
};

#define PEERS 4
#define BASELINE 1 /* the peer that the ratios are against */
extern const struct peer peers[PEERS];

/* To be called before any loop; false where there is no memory. */
bool peers_allocate(void);

#endif
