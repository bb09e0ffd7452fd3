/* SPDX-License-Identifier: MIT */
/* A kernel whose entropy is known beforehand and logged: for a test library only, which links it in
 * place of csrc/clock.c, csrc/kernel.c and csrc/vvar.c. The shipped library has no such switch.
 *
 * All of it lies in memory that forked children share, so that one log has what parent and
 * children were given, in order, and no two of them are given the same.
 *
 * tests/support/libraries.py reads the declarations from here.
 */
#ifndef SCRIPTED_KERNEL_H
#define SCRIPTED_KERNEL_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define SCRIPT_LOG_ENTRIES 4096
#define SCRIPT_PAGE_WORDS 512
#define SCRIPT_GENERATION_WORD 80 /* of the first page of [vvar]; the next one says ready */
#define SCRIPT_NO_CLOCK 999

enum script_source { SCRIPT_GETRANDOM = 1, SCRIPT_VDSO = 2 };

/* One answer: byte I of it is script_byte(SEED, its place in the log, I). */
struct script_entry {
	uint32_t source;
	int32_t pid;
	uint32_t flags;
	uint32_t padding;
	int64_t answer; /* what the call returned; -errno for a failure */
	uint64_t len;
};

struct script {
	_Atomic uint64_t seed;
	_Atomic uint64_t calls; /* of both kinds, failures included */
	_Atomic int64_t
		getrandom_answer;      /* 0: all of it; > 0: at most so many bytes; < 0: -errno */
	_Atomic uint64_t answer_after; /* so many getrandom calls succeed before it counts */
	_Atomic uint64_t answer_times; /* for so many calls it counts; 0: for all */
	_Atomic uint64_t getrandom_calls; /* to be set to 0 together with the three above */
	_Atomic uint64_t has_vdso;        /* 1 at the start */
	_Atomic uint64_t vdso_answer;     /* 0: all of it; otherwise an errno that it fails with */
	_Atomic uint64_t vvar_pages; /* how many of the pages below are shown; 1 at the start */
	_Atomic uint64_t vvar_unreadable; /* a bit for each that cannot be read */
	_Atomic uint64_t vvar_searches;   /* how often they were asked for */
	_Atomic uint64_t generation;      /* what the scripted vDSO writes into its opaque state */
	_Atomic uint64_t clock;           /* which clock it is; SCRIPT_NO_CLOCK for none */
	_Atomic uint64_t clock_readings, coarse_readings; /* how many there were */
	_Atomic uint64_t counter_forbidden; /* what clock_counter_is_forbidden() says */
	/* Called, if it is set, before call N returns, with its answer in BUF already. */
	void (*on_call)(uint64_t n, void *buf, uint64_t len);
	struct script_entry log[SCRIPT_LOG_ENTRIES];
	/* Two pages of [vvar]. The first holds the generation, see above. */
	_Atomic uint64_t *vvar[2];
};

/* Valid from the first call on. */
struct script *script(void);

/* Sets both the generation that the vDSO reports and the one in [vvar]. */
void script_reseed_kernel(uint64_t generation);

/* Byte I of answer N, and LEN bytes of it: what a model needs to compute what must come out. */
uint8_t script_byte(uint64_t seed, uint64_t n, uint64_t i);
void script_bytes(uint64_t seed, uint64_t n, uint8_t *buf, uint64_t len);

/* What that clock reads when there were so many calls of both kinds: a model that has the log can
 * compute the readings, too. */
uint64_t script_clock(uint64_t clock, uint64_t calls);

#endif
