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

/* Why the caller's bytes can do no harm, whoever chose them.
 *
 * The bytes of each call are hashed together with their length and a serial number that no other
 * call has. The hash, 32 bytes, is XORed into the pool, and the pool into each key from the kernel.
 *
 * - The kernel's bytes do not depend on the pool. A key that is uniformly random stays so whatever
 *   is XORed into it, so no choice of the pool makes it more predictable.
 * - The hash of one call does not depend on what other calls gave. Someone who does not know
 *   another's bytes cannot cancel them, and the pool stays as unpredictable as they are. If the
 * hash were computed over the old pool instead, this would rest on an assumption about the hash.
 * - Bytes that are given twice have different serial numbers and do not cancel each other.
 *
 * XOR needs no lock, which a signal handler could not wait for and a fork could leave held for
 * ever. The pool's words change one by one, so a reader may see a part of a hash. That key does not
 * stay in use, because the caller marks the states afterwards. A child that is forked in the middle
 * of a call may have a part of the hash, which is allowed: the call had not returned. */
#define POOL_WORDS (CHACHA20_KEY_BYTES / sizeof(uint64_t))

/* The largest pages that are common on the architecture. Where they are larger, the pool is kept
 * out of neither swap nor core dumps, and the notes say so. */
#if defined(__x86_64__) || defined(__i386__) || defined(__s390x__) || defined(__riscv)
#define LARGEST_PAGE 4096
#else
#define LARGEST_PAGE 65536
#endif

/* A static array, so that giving bytes cannot fail for want of memory. It is large enough to
 * contain a whole page, which the pool has to itself: madvise(2) and mlock2(2) act on pages. */
static _Alignas(64) unsigned char room[2 * LARGEST_PAGE];

/* The next call's number; zero until bytes have been given. */
static _Atomic uint64_t serials;

static _Atomic uint64_t protected_in; /* the epoch, because locks are not inherited */
static _Atomic bool not_locked, not_hidden_from_dumps;
static _Atomic bool try_again; /* one of the two has failed for a shortage */

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
	try_again = is_shortage(hiding) || is_shortage(locking);
	protected_in = epoch;
}

void additional_prepare(void)
{
	uint64_t epoch = process_epoch();

	/* Without an epoch a child cannot know that its pool is not locked. */
	if (epoch == 0 || protected_in != epoch || try_again)
		protect(epoch);
}

ERASES_REGISTERS static void hash(uint8_t sum[CHACHA20_KEY_BYTES], const uint8_t *bytes, size_t len,
				  uint64_t serial)
{
	uint8_t block[HCHACHA20_INPUT_BYTES];
	const uint64_t beginning[] = { serial, len };

	/* The length comes first, so that no input is a prefix of another. */
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

	/* First, so that no secret is in the pool before it is protected. */
	additional_prepare();
	hash(sum, bytes, len, atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed));
	add_to_pool(sum);
	wipe(sum, sizeof(sum));
}

/* KEY need not be aligned. */
typedef uint64_t __attribute__((may_alias, aligned(1))) key_word;

ERASES_REGISTERS void additional_add(uint8_t key[CHACHA20_KEY_BYTES])
{
	/* If no serial number is seen, no call has returned whose bytes would have to be seen. */
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
