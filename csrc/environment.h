/* SPDX-License-Identifier: MIT */
/* What the environment may take away: VGETRANDOM_* variables, never in a set-uid program. */
#ifndef VGETRANDOM_ENVIRONMENT_H
#define VGETRANDOM_ENVIRONMENT_H

#include <stdbool.h>

/* VGETRANDOM_CHACHA20 and so on. */
enum env_variable {
	ENV_CHACHA20,
	ENV_MEMORY,
	ENV_VDSO,
	ENV_WATCH,
	ENV_VARIABLES,
};

/* What each may say, and how it is spelt; 0 is no restriction. ENV_CHACHA20 says 1 more than the
 * set's place in chacha20_sets. */
enum { ENV_MEMORY_WIPE_ON_FORK = 1, ENV_MEMORY_NONE };
enum { ENV_VDSO_OFF = 1 };
enum { ENV_WATCH_OFF = 1 };
#define ENV_VALUES 7
extern const char *const env_names[ENV_VARIABLES][1 + ENV_VALUES + 1]; /* each ends with NULL */

/* What the environment asked for when the library was loaded: one of the above, and 0 where the
 * variable was unset, empty or had a value that is not known. Never reads the environment again:
 * setenv(3) in another thread may be moving it about. */
unsigned int env_restriction(enum env_variable variable);

/* Whether the variable had a value that is not known. */
bool env_is_unknown(enum env_variable variable);

#endif
