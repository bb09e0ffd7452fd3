/* SPDX-License-Identifier: MIT */
/* The core's inside as tests see it; only the test libraries have these functions.
 * tests/support/libraries.py reads the declarations from here. */
#ifndef HOOKS_H
#define HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The calling thread's state, a page; NULL before its first draw. */
void *hook_state(void);

/* The offsets of a state's fields in bytes, and the sizes that the draw protocol goes by. */
struct hook_layout {
	size_t generation, vm_generation, available, vdso_refills, working_key, key, batch, opaque;
	size_t state_bytes, batch_bytes, keystream_bytes, opaque_bytes;
	size_t inline_bytes, bulk_bytes, bulk_min_bytes, bulk_grain_bytes;
	size_t max_vdso_refills;
};
void hook_layout(struct hook_layout *layout);

/* An instruction set's keystream, by its number, best first. */
void hook_chacha20_keystream(int i, uint8_t *out, size_t groups, const uint8_t *key,
			     uint64_t counter, uint64_t nonce);

/* The same, and what it leaves behind: the stack below the caller's frame and the registers that
 * a function may change, with those of the vector unit as XSAVE writes them. Returns how many
 * bytes of LEFT were used; 0 where this cannot be looked at. */
size_t hook_chacha20_remains(int i, uint8_t *out, size_t groups, const uint8_t *key, uint8_t *left,
			     size_t left_bytes);

/* watch_looking(). And watch_find() in one page: the number of candidates, and the offsets of the
 * last one in the page and in the opaque state. */
bool hook_watch_looking(void);
int hook_watch_find(const void *page, size_t page_bytes, const void *opaque, size_t opaque_bytes,
		    size_t *at_page, size_t *at_opaque);

/* Watches the VM generation in the file at PATH from now on; false if that is no vmclock. */
bool hook_watch_vmclock(const char *path);

/* Whether a vmgenid device is found among the buses at a path: an enum vmgenid. */
int hook_clones_find_vmgenid(const char *buses);

/* The clock's next reading. */
uint64_t hook_clock_read(bool coarse);

/* HChaCha20, and the pool that the bytes given to reseed() go into: 32 bytes. */
void hook_hchacha20(uint8_t *out, const uint8_t *key, const uint8_t *input);
const void *hook_additional_pool(void);

/* Mark the calling thread's state as in use, as an interrupted draw leaves it, and undo that. */
void *hook_check_out(void);
void hook_check_in(void *state);

/* Whether the calling thread is in the middle of claiming a state, and of a draw that is claiming
 * one or has taken it out. */
bool hook_is_claiming(void);
bool hook_is_out(void);

/* Whether the calling thread's state is known to be this process's, and not one that a fork brought
 * along and that is still to be settled. */
bool hook_is_settled(void);

#endif
