/* The environment is read once, when the library is loaded: later, setenv(3) in another thread may
 * be moving it about, and reading it then is a crash in somebody else's program.
 */
#define _GNU_SOURCE
#include "environment.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
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
	int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
	char piece[256], entry[ENTRY_BYTES];
	uint32_t found = 0, seen = 0;
	size_t length = 0;
	long got;

	if (file < 0)
		return 0;
	while ((got = syscall(SYS_read, file, piece, sizeof(piece))) > 0) {
		for (long i = 0; i < got; i++) {
			entry[length] = piece[i];
			if (!piece[i]) {
				add(&found, &seen, entry);
				length = 0;
			} else if (length < sizeof(entry) - 1) {
				/* Of a longer entry the rest is lost, and it is none of ours. */
				length++;
			}
		}
	}
	syscall(SYS_close, file);
	return found;
}

static uint32_t read_environment(bool loading)
{
	uint32_t found = 0, seen = 0;

	/* As secure_getenv(): whoever starts a set-uid program has no say in its memory or speed.
	 */
	if (getauxval(AT_SECURE))
		return 0;
	/* While we are loaded, NULL is what clearenv() left. */
	if (!environ && !loading)
		return read_from_kernel();
	for (char **entry = environ; entry && *entry; entry++)
		add(&found, &seen, *entry);
	return found;
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
