/* The sizes that decide which way a request is served. */
#ifndef VGETRANDOM_DRAW_H
#define VGETRANDOM_DRAW_H

#include "state.h"

/* Up to here the plain case is worth its own path. */
#define INLINE_BYTES 128

/* From here on straight into the caller's buffer, in whole groups; the rest comes from the
 * batch. */
#define BULK_MIN_BYTES BATCH_BYTES
#define BULK_GRAIN_BYTES CHACHA20_GROUP_BYTES

/* Under one key: long enough that fetching the key does not count, short enough that a drop or a
 * fork is noticed soon. */
#define BULK_BYTES (64 * 1024)

/* After one refill with entropy from getrandom(2), so many may take it from the vDSO. Its own key
 * lies in the page too: who stole both could follow it until the kernel reseeds. */
#define VDSO_REFILLS 63

/* Looks for the kernel's generation now, not at some refill. */
void draw_look(void);

#endif
