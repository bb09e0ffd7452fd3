/* SPDX-License-Identifier: MIT */
/* vgetrandom_get_info() and vgetrandom_get_stats(). */
#define VGETRANDOM_API __attribute__((visibility("default")))
#include "include/vgetrandom.h"

#include "additional.h"
#include "chacha20/chacha20.h"
#include "clock.h"
#include "clones.h"
#include "counters.h"
#include "kernel.h"
#include "memory.h"
#include "prepare.h"
#include "state.h"
#include "states.h"
#include "watch.h"
#include "wipe.h"

#include <errno.h>
#include <unistd.h>

/* A program that was compiled against an older header has room for so much: a larger struct would
 * overrun it. */
_Static_assert(sizeof(struct vgetrandom_info) == 64 * sizeof(void *),
	       "struct vgetrandom_info has grown");
_Static_assert(sizeof(struct vgetrandom_stats) == 32 * sizeof(uint64_t),
	       "struct vgetrandom_stats has grown");

static const char *memory_name(void)
{
	switch (this_thread.slot ? memory_kind() : MEMORY_NONE) {
	case MEMORY_DROPPABLE:
		return "droppable";
	case MEMORY_WIPE_ON_FORK:
		return "wipe-on-fork";
	default:
		return "none";
	}
}

void vgetrandom_get_info(struct vgetrandom_info *info)
{
	struct notes notes = { .texts = info->notes, .max = VGETRANDOM_MAX_NOTES };
	int saved_errno = errno;

	/* Some of it is known only after the first draw. */
	prepare();
	errno = saved_errno;

	/* info() tells of the calling thread's draws: other threads may have states. */
	bool stateful = this_thread.slot != NULL;

	*info = (struct vgetrandom_info){
		/* Without memory for the self test no set was chosen, and none is needed. */
		.chacha20 = chacha20_choose() ? chacha20_in_use()->name : "portable",
		.memory = memory_name(),
		.kernel_entropy = stateful && kernel_has_vdso() ? "vdso" : "syscall",
		.watch = stateful ? watch_name() : "none",
		.clones = clones_name(),
		.state_bytes = stateful ? (size_t)sysconf(_SC_PAGESIZE) : 0,
		.batch_bytes = stateful ? BATCH_BYTES : 0,
	};
	state_notes(&notes);
	memory_notes(&notes);
	chacha20_notes(&notes);
	if (stateful) {
		kernel_notes(&notes);
		watch_notes(&notes);
		clock_notes(&notes);
	}
	additional_notes(&notes);
	clones_notes(&notes);
#ifdef VGETRANDOM_KEEPS_SECRETS_ON_STACK
	note(&notes,
	     "this library was built with VGETRANDOM_KEEPS_SECRETS_ON_STACK, for sanitizers "
	     "or coverage: keys and state stay on the stack and in registers");
#endif
}

void vgetrandom_get_stats(struct vgetrandom_stats *stats)
{
	struct counters sum;

	counters_sum(&sum);
	*stats = (struct vgetrandom_stats){
		.refills = sum.refills,
		.reseeds_first = sum.reseeds[RESEED_FIRST],
		.reseeds_wiped = sum.reseeds[RESEED_WIPED],
		.reseeds_generation = sum.reseeds[RESEED_GENERATION],
		.reseeds_requested = sum.reseeds[RESEED_REQUESTED],
		.syscalls = sum.syscalls,
		.fallbacks = sum.fallbacks,
	};
}
