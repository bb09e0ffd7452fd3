/* What the environment may take away: VGETRANDOM_* variables, never in a set-uid program. */
#ifndef VGETRANDOM_ENVIRONMENT_H
#define VGETRANDOM_ENVIRONMENT_H

#include <stdbool.h>

/* One variable and the values that mean something to us. */
struct limit {
	const char *name;
	const char *const *values; /* ends with NULL */
};

/* The index in LIMIT->values of what the environment asks for; -1 where it is unset, empty or
 * unknown, in which case *UNKNOWN (if given) becomes the unknown value or NULL. */
int limit_read(const struct limit *limit, const char **unknown);

#endif
