/* SPDX-License-Identifier: MIT */
/* What a draw may return, computed from the answers that the scripted kernel has logged. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "../../csrc/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef GRND_INSECURE
#define GRND_INSECURE 0x0004
#endif

/* What libFuzzer takes for a finding. */
#define CHECK(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* One thread's generator. */
struct model {
	bool valid;
	uint8_t key[32];
	uint8_t batch[BATCH_BYTES];
	size_t available; /* the last bytes of the batch */
};

/* The kernel's answers to one draw, as they were logged. */
struct answers {
	uint64_t next, end;
};

/* Computes the draw of LEN bytes into OUT, with FLAGS as the core's. Returns 0 or what errno must
 * be; an answer of the kernel that is too many or too few is a finding. */
int model_draw(struct model *model, uint8_t *out, size_t len, unsigned int flags,
	       struct answers answers);

#endif
