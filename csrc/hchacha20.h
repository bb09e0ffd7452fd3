/* SPDX-License-Identifier: MIT */
/* HChaCha20 (draft-irtf-cfrg-xchacha): 20 rounds of ChaCha that map a key and 16 bytes to a new
 * key. */
#ifndef VGETRANDOM_HCHACHA20_H
#define VGETRANDOM_HCHACHA20_H

#include "chacha20/chacha20.h"

#include <stdint.h>

#define HCHACHA20_INPUT_BYTES 16

/* OUT may be KEY. Leaves neither key nor state on the stack or in registers. */
void hchacha20(uint8_t out[CHACHA20_KEY_BYTES], const uint8_t key[CHACHA20_KEY_BYTES],
	       const uint8_t input[HCHACHA20_INPUT_BYTES]);

#endif
