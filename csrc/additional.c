/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "additional.h"

#include "hchacha20.h"
#include "process.h"
#include "shortage.h"
#include "system_call.h"
#include "wipe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

/* Why the pool can only add.
 *
 * Every call's bytes are hashed, together with a serial number that no other call has and with
 * their length, and the 32 bytes of the hash are added to the pool by XOR; the pool is added by
 * XOR to the 32 bytes of each key that the kernel gives.
 *
 * - The kernel's bytes do not depend on the pool. As long as one does not know them, no choice of
 *   the pool makes a key any more predictable: it is uniform, whatever is added to it.
 * - One call's hash does not depend on what others gave. Who does not know another's bytes
 *   therefore cannot cancel them, and the pool stays as unpredictable as they are. This is why
 *   nothing but XOR meets what was given before: no assumption on the hash is needed.
 * - The same bytes twice have different serial numbers, and do not cancel.
 *
 * No lock: a fork could leave it held for ever, and a signal handler may call. XOR needs none. The
 * pool's words change one by one, so that a reader may see a part of a hash; and the caller marks
 * the states after all of it, so that no key with only a part of it stays in use. A fork in the
 * middle of a call leaves the child a part or nothing: its parent's call had not returned. */
#define POOL_WORDS (CHACHA20_KEY_BYTES / sizeof(uint64_t))

/* The largest page of any common machine. Where pages are larger, the pool is kept out of neither
 * swap nor dumps, and the notes say so. */
#if defined(__x86_64__) || defined(__i386__) || defined(__s390x__) || defined(__riscv)
#define LARGEST_PAGE 4096
#else
#define LARGEST_PAGE 65536
#endif

/* There from the start, so that giving bytes cannot fail. The pool begins the whole page in it,
 * which shares with no other data. */
static _Alignas(64) unsigned char room[2 * LARGEST_PAGE];

/* The next call's; zero as long as nothing was given. */
static _Atomic uint64_t serials;

static _Atomic uint64_t protected_in; /* the epoch: locks are not inherited */
static _Atomic bool not_locked, not_hidden_from_dumps;
static _Atomic bool short_of; /* one of the two, for now */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

_Atomic uint64_t *additional_pool(void)
{
	size_t page = page_size();
	size_t begin = page <= LARGEST_PAGE ? -(uintptr_t)room & (page - 1) : 0;

	return (_Atomic uint64_t *)(void *)(room + begin);
}

/* The errno of what was refused, or 0. */
static int error_of(int result)
{
	return result ? errno : 0;
}

static void protect(uint64_t epoch)
{
	size_t page = page_size();
	int hiding = EINVAL, locking = EINVAL;

	if (page <= LARGEST_PAGE) {
		hiding = error_of(system_madvise(additional_pool(), page, MADV_DONTDUMP));
		locking = error_of(system_mlock2(additional_pool(), page, MLOCK_ONFAULT));
	}
	not_hidden_from_dumps = hiding != 0;
	not_locked = locking != 0;
	short_of = is_shortage(hiding) || is_shortage(locking);
	protected_in = epoch;
}

void additional_prepare(void)
{
	uint64_t epoch = process_epoch();

	/* Without an epoch nobody knows whether this is another process. */
	if (epoch == 0 || protected_in != epoch || short_of)
		protect(epoch);
}

ERASES_REGISTERS static void hash(uint8_t sum[CHACHA20_KEY_BYTES], const uint8_t *bytes, size_t len,
				  uint64_t serial)
{
	uint8_t block[HCHACHA20_INPUT_BYTES];
	const uint64_t beginning[] = { serial, len };

	/* The length comes first: no input is the beginning of another. */
	_Static_assert(sizeof(beginning) == sizeof(block), "one block");
	memcpy(block, beginning, sizeof(block));
	memset(sum, 0, CHACHA20_KEY_BYTES);
	hchacha20(sum, sum, block);
	while (len > 0) {
		size_t part = len < sizeof(block) ? len : sizeof(block);

		memset(block, 0, sizeof(block));
		memcpy(block, bytes, part);
		hchacha20(sum, sum, block);
		bytes += part;
		len -= part;
	}
	wipe(block, sizeof(block));
}

/* Reads past a hash that another call adds at the same time: see above. */
ERASES_REGISTERS static void add_to_pool(const uint8_t sum[CHACHA20_KEY_BYTES])
{
	_Atomic uint64_t *words = additional_pool();
	uint64_t word;

	for (size_t i = 0; i < POOL_WORDS; i++) {
		memcpy(&word, sum + i * sizeof(word), sizeof(word));
		atomic_fetch_xor_explicit(&words[i], word, memory_order_relaxed);
	}
	wipe(&word, sizeof(word));
}

void additional_give(const void *bytes, size_t len)
{
	uint8_t sum[CHACHA20_KEY_BYTES];

	/* Before there is anything to protect. */
	additional_prepare();
	hash(sum, bytes, len, atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed));
	add_to_pool(sum);
	wipe(sum, sizeof(sum));
}

/* KEY may be anywhere in a state. */
typedef uint64_t __attribute__((may_alias, aligned(1))) key_word;

ERASES_REGISTERS void additional_add(uint8_t key[CHACHA20_KEY_BYTES])
{
	/* Who sees no serial number need not see the bytes that it was counted for. */
	if (atomic_load_explicit(&serials, memory_order_relaxed) == 0)
		return;
	_Atomic uint64_t *words = additional_pool();
	uint64_t epoch = process_epoch();

	if (protected_in != epoch)
		protect(epoch);
	for (size_t i = 0; i < POOL_WORDS; i++)
		((key_word *)key)[i] ^= atomic_load_explicit(&words[i], memory_order_relaxed);
}

void additional_notes(struct notes *notes)
{
	if (serials == 0)
		return;
	if (not_locked)
		note(notes, "mlock was refused (see RLIMIT_MEMLOCK): what the bytes given to "
			    "reseed() became can be written to swap");
	if (not_hidden_from_dumps)
		note(notes, "MADV_DONTDUMP was refused: what the bytes given to reseed() became "
			    "can be in a core dump");
}
