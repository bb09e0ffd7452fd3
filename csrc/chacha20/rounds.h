/* SPDX-License-Identifier: MIT */
/* ChaCha20's rounds as lists of steps: STEP(a, b, d, n) is a += b; d = (d ^ a) <<< n.
 *
 * The steps of four quarter rounds are interleaved, because each quarter round by itself is one
 * chain of dependent operations.
 */
#ifndef VGETRANDOM_CHACHA20_ROUNDS_H
#define VGETRANDOM_CHACHA20_ROUNDS_H

/* The constants: "expand 32-byte k". */
#define SIGMA_0 0x61707865
#define SIGMA_1 0x3320646e
#define SIGMA_2 0x79622d32
#define SIGMA_3 0x6b206574

/* clang-format off */
#define COLUMN_ROUND(STEP)                                                                         \
	STEP(0, 4, 12, 16) STEP(1, 5, 13, 16) STEP(2, 6, 14, 16) STEP(3, 7, 15, 16)                \
	STEP(8, 12, 4, 12) STEP(9, 13, 5, 12) STEP(10, 14, 6, 12) STEP(11, 15, 7, 12)              \
	STEP(0, 4, 12, 8) STEP(1, 5, 13, 8) STEP(2, 6, 14, 8) STEP(3, 7, 15, 8)                    \
	STEP(8, 12, 4, 7) STEP(9, 13, 5, 7) STEP(10, 14, 6, 7) STEP(11, 15, 7, 7)

#define DIAGONAL_ROUND(STEP)                                                                       \
	STEP(0, 5, 15, 16) STEP(1, 6, 12, 16) STEP(2, 7, 13, 16) STEP(3, 4, 14, 16)                \
	STEP(10, 15, 5, 12) STEP(11, 12, 6, 12) STEP(8, 13, 7, 12) STEP(9, 14, 4, 12)              \
	STEP(0, 5, 15, 8) STEP(1, 6, 12, 8) STEP(2, 7, 13, 8) STEP(3, 4, 14, 8)                    \
	STEP(10, 15, 5, 7) STEP(11, 12, 6, 7) STEP(8, 13, 7, 7) STEP(9, 14, 4, 7)
/* clang-format on */

#endif
