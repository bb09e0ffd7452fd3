/* SPDX-License-Identifier: MIT */
/* The environment is read once, when the library is loaded. Later, setenv(3) in another thread may
 * be reallocating it, and reading it at that moment would crash the program.
 */
#define _GNU_SOURCE
#include "environment.h"

#include "system_call.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const char *const variables[ENV_VARIABLES] = {
	[ENV_CHACHA20] = "VGETRANDOM_CHACHA20",
	[ENV_MEMORY] = "VGETRANDOM_MEMORY",
	[ENV_VDSO] = "VGETRANDOM_VDSO",
	[ENV_WATCH] = "VGETRANDOM_WATCH",
};

const char *const env_names[ENV_VARIABLES][1 + ENV_VALUES + 1] = {
	[ENV_CHACHA20] = { "",
#define SET(name, ...) #name,
#include "chacha20/sets.h"
	},
	[ENV_MEMORY] = { "", "wipe-on-fork", "none" },
	[ENV_VDSO] = { "", "off" },
	[ENV_WATCH] = { "", "off" },
};

/* All variables in one word, so that one atomic operation settles them: the bit READ, and for each
 * variable BITS bits with its value or UNKNOWN. */
#define BITS 4
#define UNKNOWN 15u
#define READ (UINT32_C(1) << 31)
_Static_assert(ENV_VALUES < UNKNOWN && ENV_VARIABLES * BITS < 31, "all values fit into the word");

static _Atomic uint32_t settled;

/* No entry with a known name and value is longer. */
#define ENTRY_BYTES 64

static uint32_t value_of(enum env_variable variable, const char *text)
{
	for (uint32_t i = 0; env_names[variable][i]; i++)
		if (!strcmp(text, env_names[variable][i]))
			return i;
	return UNKNOWN;
}

/* Adds one "NAME=value". Of two entries with the same name the first counts, as with getenv(3). */
static void add(uint32_t *found, uint32_t *seen, const char *entry)
{
	for (uint32_t i = 0; i < ENV_VARIABLES; i++) {
		size_t length = strlen(variables[i]);

		if (*seen & 1u << i || strncmp(entry, variables[i], length) != 0 ||
		    entry[length] != '=')
			continue;
		*seen |= 1u << i;
		*found |= value_of(i, entry + length + 1) << i * BITS;
	}
}

/* For draws from .preinit_array, where glibc has not set environ yet: /proc has the environment
 * that the process was started with. Read in pieces, because there may be megabytes of it and the
 * stack may be small. */
static uint32_t read_from_kernel(void)
{
	int file = system_open("/proc/self/environ");
	char piece[256], entry[ENTRY_BYTES] = "";
	uint32_t found = 0, seen = 0;
	size_t length = 0;
	ssize_t got;

	if (file < 0)
		return 0;
	while ((got = system_read(file, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			entry[length] = piece[i];
			if (!piece[i]) {
				add(&found, &seen, entry);
				length = 0;
			} else if (length < sizeof(entry) - 1) {
				/* The end of a longer entry is cut off: none of ours is so long. */
				length++;
			}
		}
	}
	system_close(file);
	return found;
}

/* Through libc, because dlopen(3) may load this library while another thread calls setenv(3), which
 * getenv(3) tolerates from glibc 2.41 on. */
static uint32_t read_from_libc(void)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < ENV_VARIABLES; i++) {
		const char *value = secure_getenv(variables[i]);

		if (value)
			found |= value_of(i, value) << i * BITS;
	}
	return found;
}

static uint32_t read_environment(bool loading)
{
	/* A set-uid program must not be weakened by whoever starts it. */
	if (getauxval(AT_SECURE))
		return 0;
	/* While the library is loaded, environ is NULL only after clearenv(3). */
	return environ || loading ? read_from_libc() : read_from_kernel();
}

static uint32_t settle(bool loading)
{
	uint32_t expected = 0, found = READ | read_environment(loading);

	return atomic_compare_exchange_strong(&settled, &expected, found) ? found : expected;
}

static uint32_t get(enum env_variable variable)
{
	uint32_t found = atomic_load_explicit(&settled, memory_order_relaxed);

	/* Not settled yet: a draw from .preinit_array, or from a constructor that ran before ours.
	 */
	if (!found)
		found = settle(false);
	return found >> variable * BITS & ((1u << BITS) - 1);
}

/* 101 is the first priority that is not reserved: other constructors may draw. */
__attribute__((constructor(101))) static void read_at_load(void)
{
	settle(true);
}

unsigned int env_restriction(enum env_variable variable)
{
	uint32_t value = get(variable);

	return value == UNKNOWN ? 0 : value;
}

bool env_is_unknown(enum env_variable variable)
{
	return get(variable) == UNKNOWN;
}
