/* SPDX-License-Identifier: MIT */
/* The VGETRANDOM_* variables. They can only take features away, and are ignored in set-uid
 * programs. */
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

/* The values that each may have, and their spelling; 0 is no restriction. A value of ENV_CHACHA20
 * is the set's index in chacha20_sets, plus 1. */
enum { ENV_MEMORY_WIPE_ON_FORK = 1, ENV_MEMORY_NONE };
enum { ENV_VDSO_OFF = 1 };
enum { ENV_WATCH_OFF = 1 };
#define ENV_VALUES 7
extern const char *const env_names[ENV_VARIABLES][1 + ENV_VALUES + 1]; /* each ends with NULL */

/* The value when the library was loaded: one of the above, and 0 if the variable was unset, empty
 * or had a value that is not known. */
unsigned int env_restriction(enum env_variable variable);

/* Whether the variable had a value that is not known. */
bool env_is_unknown(enum env_variable variable);

#endif
