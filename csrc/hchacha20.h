/* SPDX-License-Identifier: MIT */
/* HChaCha20 (draft-irtf-cfrg-xchacha): 20 rounds that make a new key of a key and 16 bytes. */
#ifndef VGETRANDOM_HCHACHA20_H
#define VGETRANDOM_HCHACHA20_H

#include "chacha20/chacha20.h"

#include <stdint.h>

#define HCHACHA20_INPUT_BYTES 16

/* OUT may be KEY. Neither the stack nor a register holds key or state when it returns. */
void hchacha20(uint8_t out[CHACHA20_KEY_BYTES], const uint8_t key[CHACHA20_KEY_BYTES],
	       const uint8_t input[HCHACHA20_INPUT_BYTES]);

#endif
