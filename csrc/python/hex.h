/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits without a table, so that no address depends on a secret. */
#ifndef VGETRANDOM_PYTHON_HEX_H
#define VGETRANDOM_PYTHON_HEX_H

#include <stdint.h>
#include <string.h>

#define HEX_BYTES 4 /* how many bytes are converted at a time */

/* The 8 digits of the 4 bytes at FROM, lower case. */
static inline void hex_digits(char *to, const unsigned char *from)
{
	uint64_t digits = (uint64_t)from[0] << 24 | (uint64_t)from[1] << 16 |
			  (uint64_t)from[2] << 8 | from[3];

	/* Spreads the 8 half bytes over 8 bytes. */
	digits = (digits & 0xffff0000) << 16 | (digits & 0xffff);
	digits = (digits & 0x0000ff000000ff00) << 8 | (digits & 0x000000ff000000ff);
	digits = (digits & 0x00f000f000f000f0) << 4 | (digits & 0x000f000f000f000f);
	/* Adding 6 carries into bit 4 exactly for the digits a to f. */
	uint64_t letters =
		(digits + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);

	digits += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	digits = __builtin_bswap64(digits);
#endif
	memcpy(to, &digits, sizeof(digits));
}

#endif
