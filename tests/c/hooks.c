/* SPDX-License-Identifier: MIT */
#include "hooks.h"

#include "../../csrc/additional.h"
#include "../../csrc/chacha20/chacha20.h"
#include "../../csrc/clock.h"
#include "../../csrc/clones.h"
#include "../../csrc/draw.h"
#include "../../csrc/hchacha20.h"
#include "../../csrc/process.h"
#include "../../csrc/refill.h"
#include "../../csrc/states.h"
#include "../../csrc/watch.h"

#include <string.h>

void *hook_state(void)
{
	return this_thread.slot ? this_thread.slot->state : NULL;
}

void hook_layout(struct hook_layout *layout)
{
	*layout = (struct hook_layout){
		.generation = offsetof(struct state, generation),
		.vm_generation = offsetof(struct state, vm_generation),
		.available = offsetof(struct state, available),
		.vdso_refills = offsetof(struct state, vdso_refills),
		.working_key = offsetof(struct state, working_key),
		.key = offsetof(struct state, key),
		.batch = offsetof(struct state, batch),
		.opaque = offsetof(struct state, opaque),
		.state_bytes = sizeof(struct state),
		.batch_bytes = BATCH_BYTES,
		.keystream_bytes = KEYSTREAM_BYTES,
		.opaque_bytes = OPAQUE_BYTES,
		.inline_bytes = INLINE_BYTES,
		.bulk_bytes = BULK_BYTES,
		.bulk_min_bytes = BULK_MIN_BYTES,
		.bulk_grain_bytes = BULK_GRAIN_BYTES,
		.max_vdso_refills = VDSO_REFILLS,
	};
}

void hook_chacha20_keystream(int i, uint8_t *out, size_t groups, const uint8_t *key,
			     uint64_t counter, uint64_t nonce)
{
	chacha20_sets[i].keystream(out, groups, key, counter, nonce);
}

#if defined(__x86_64__)

#define STACK_BYTES 8192
#define GENERAL_BYTES 128
#define XSAVE_BYTES 8192

/* Zeroes the vector registers, calls KEYSTREAM(out, groups, key, 0, 0), then stores the general
 * registers in AREA, which is zero, the rest 128 bytes further on. From the call on it uses only
 * registers that the called function must preserve. */
void call_and_capture(uint8_t *out, size_t groups, const uint8_t *key, keystream_fn *keystream,
		      uint8_t *area);
__asm__(".text\n"
	"call_and_capture:\n"
	"	pushq %rbx\n"
	"	movq %r8, %rbx\n"
	"	movq %rdx, %r8\n"
	"	stmxcsr 152(%rbx)\n" /* the only part that is taken from AREA */
	"	movl $0xe6, %eax\n"  /* SSE, AVX and AVX-512, as far as there are such */
	"	xorl %edx, %edx\n"
	"	xrstor64 128(%rbx)\n"
	"	movq %r8, %rdx\n"
	"	movq %rcx, %rax\n"
	"	xorl %ecx, %ecx\n"
	"	xorl %r8d, %r8d\n"
	"	call *%rax\n"
	"	movq %rax, (%rbx)\n"
	"	movq %rcx, 8(%rbx)\n"
	"	movq %rdx, 16(%rbx)\n"
	"	movq %rsi, 24(%rbx)\n"
	"	movq %rdi, 32(%rbx)\n"
	"	movq %r8, 40(%rbx)\n"
	"	movq %r9, 48(%rbx)\n"
	"	movq %r10, 56(%rbx)\n"
	"	movq %r11, 64(%rbx)\n"
	"	movl $-1, %eax\n"
	"	movl $-1, %edx\n"
	"	xsave64 128(%rbx)\n"
	"	popq %rbx\n"
	"	ret\n");

__attribute__((noinline)) static void copy_stack_below(uint8_t *to, size_t len)
{
	/* Through a volatile pointer: the compiler assumes that there is nothing below the stack
	 * pointer. */
	const volatile uint8_t *stack = (uint8_t *)__builtin_frame_address(0) - len;

	for (size_t i = 0; i < len; i++)
		to[i] = stack[i];
}

__attribute__((noinline)) static void wipe_stack_below(size_t len)
{
	volatile uint8_t *stack = (uint8_t *)__builtin_frame_address(0) - len;

	for (size_t i = 0; i < len - 64; i++) /* its own variables may be the rest */
		stack[i] = 0;
}

/* What others left there before is wiped first: the caller has computed with the same key. */
size_t hook_chacha20_remains(int i, uint8_t *out, size_t groups, const uint8_t *key, uint8_t *left,
			     size_t left_bytes)
{
	static _Alignas(64) uint8_t area[GENERAL_BYTES + XSAVE_BYTES];

	if (left_bytes < sizeof(area) + STACK_BYTES || !__builtin_cpu_supports("avx"))
		return 0;
	memset(area, 0, sizeof(area));
	wipe_stack_below(STACK_BYTES);
	call_and_capture(out, groups, key, chacha20_sets[i].keystream, area);
	copy_stack_below(left, STACK_BYTES);
	memcpy(left + STACK_BYTES, area, sizeof(area));
	return STACK_BYTES + sizeof(area);
}

#else

size_t hook_chacha20_remains(int i, uint8_t *out, size_t groups, const uint8_t *key, uint8_t *left,
			     size_t left_bytes)
{
	(void)left, (void)left_bytes;
	hook_chacha20_keystream(i, out, groups, key, 0, 0);
	return 0;
}

#endif

bool hook_watch_looking(void)
{
	return watch_looking();
}

int hook_watch_find(const void *page, size_t page_bytes, const void *opaque, size_t opaque_bytes,
		    size_t *at_page, size_t *at_opaque)
{
	watched_word *word = page;
	int found = watch_find(page, page_bytes, opaque, opaque_bytes, &word, at_opaque);

	*at_page = (size_t)((const uint8_t *)word - (const uint8_t *)page);
	return found;
}

bool hook_watch_vmclock(const char *path)
{
	watch_search_vmclock(path);
	return watch_has_vmclock();
}

int hook_clones_find_vmgenid(const char *buses)
{
	return (int)clones_find_vmgenid(buses);
}

uint64_t hook_clock_read(bool coarse)
{
	return clock_read(coarse);
}

void hook_hchacha20(uint8_t *out, const uint8_t *key, const uint8_t *input)
{
	hchacha20(out, key, input);
}

const void *hook_additional_pool(void)
{
	return additional_pool();
}

void *hook_check_out(void)
{
	return state_check_out();
}

void hook_check_in(void *state)
{
	state_check_in(state);
}

bool hook_is_claiming(void)
{
	return this_thread.may_not_claim;
}

bool hook_is_out(void)
{
	return hook_is_claiming() || (this_thread.slot && !this_thread.state);
}

bool hook_is_settled(void)
{
	return !this_thread.slot || this_thread.slot->owner == process_epoch();
}
