#define _GNU_SOURCE
#include "environment.h"

#include <stdlib.h>
#include <string.h>

int limit_read(const struct limit *limit, const char **unknown)
{
	/* secure_getenv(): whoever starts a set-uid program has no say in its memory or its speed.
	 */
	const char *value = secure_getenv(limit->name);

	if (unknown)
		*unknown = NULL;
	if (!value || !*value)
		return -1;
	for (int i = 0; limit->values[i]; i++)
		if (!strcmp(value, limit->values[i]))
			return i;
	if (unknown)
		*unknown = value;
	return -1;
}
