/* SPDX-License-Identifier: MIT */
/* Keys straight from the kernel: a state's first, and a new one whenever something has happened to
 * the old one or somebody has asked for it. */
#ifndef VGETRANDOM_RESEED_H
#define VGETRANDOM_RESEED_H

#include "states.h"

#include <stdbool.h>

/* A new key; the batch is empty afterwards. False with errno set where the kernel gives none. */
bool reseed(struct slot *slot, unsigned int flags);

#endif
