/* SPDX-License-Identifier: MIT */
/* The environment is read once, when the library is loaded: later, setenv(3) in another thread may
 * be moving it about, and reading it then is a crash in somebody else's program.
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

/* All of it in one word, so that it is read and settled in one step: READ, and for each variable
 * some bits with its value or UNKNOWN. */
#define BITS 4
#define UNKNOWN 15u
#define READ (UINT32_C(1) << 31)
_Static_assert(ENV_VALUES < UNKNOWN && ENV_VARIABLES * BITS < 31, "all values fit into the word");

static _Atomic uint32_t settled;

/* The name and value that no entry of interest is longer than. */
#define ENTRY_BYTES 64

static uint32_t value_of(enum env_variable variable, const char *text)
{
	for (uint32_t i = 0; env_names[variable][i]; i++)
		if (!strcmp(text, env_names[variable][i]))
			return i;
	return UNKNOWN;
}

/* Adds what one "NAME=value" says; of two with the same name the first counts, as with getenv(). */
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

/* In .preinit_array glibc has not told environ yet; the kernel remembers what the process was
 * started with. In pieces, because there may be megabytes of it, and little stack. */
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
				/* Of a longer entry the end is lost: it has no value that we know.
				 */
				length++;
			}
		}
	}
	system_close(file);
	return found;
}

/* libc's own function, which from glibc 2.41 on bears a setenv() at the same time: the library may
 * be loaded by dlopen(3) at any moment. */
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
	/* Whoever starts a set-uid program has no say in its memory or its speed. */
	if (getauxval(AT_SECURE))
		return 0;
	/* While we are loaded, NULL is what clearenv() left. */
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

	/* Not settled: a draw from .preinit_array, or from a constructor that runs before ours. */
	if (!found)
		found = settle(false);
	return found >> variable * BITS & ((1u << BITS) - 1);
}

/* The first priority that is not reserved: before other constructors that may draw. */
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
