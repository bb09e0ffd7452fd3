/* SPDX-License-Identifier: MIT */
/* Reseeding: keys straight from the kernel. A state is reseeded before its first use; after a drop,
 * a fork or a reseed of the kernel; and on request. */
#ifndef VGETRANDOM_RESEED_H
#define VGETRANDOM_RESEED_H

#include "slots.h"

#include <stdbool.h>

/* Fetches a new key and empties the batch. False with errno set if the kernel gives no key. */
bool reseed(struct slot *slot, unsigned int flags);

#endif
