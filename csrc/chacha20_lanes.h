/* The ChaCha20 rounds for vectors whose lanes are blocks: v[i] holds word i of several blocks.
 *
 * The including file says what the vectors are: ADD(a, b), XOR(a, b) and ROTL(a, n). These are
 * macros over constant indices, so that every v[i] becomes a register even at -O2, where gcc does
 * not unroll a loop over them.
 */
#ifndef VGETRANDOM_CHACHA20_LANES_H
#define VGETRANDOM_CHACHA20_LANES_H

/* One step of four quarter rounds. They go in lock step because each is one long dependency chain
 * by itself: side by side they keep four operations in flight. */
#define STEP(v, a0, a1, a2, a3, b0, b1, b2, b3, d0, d1, d2, d3, n) \
	do {                                                       \
		v[a0] = ADD(v[a0], v[b0]);                         \
		v[a1] = ADD(v[a1], v[b1]);                         \
		v[a2] = ADD(v[a2], v[b2]);                         \
		v[a3] = ADD(v[a3], v[b3]);                         \
		v[d0] = XOR(v[d0], v[a0]);                         \
		v[d1] = XOR(v[d1], v[a1]);                         \
		v[d2] = XOR(v[d2], v[a2]);                         \
		v[d3] = XOR(v[d3], v[a3]);                         \
		v[d0] = ROTL(v[d0], n);                            \
		v[d1] = ROTL(v[d1], n);                            \
		v[d2] = ROTL(v[d2], n);                            \
		v[d3] = ROTL(v[d3], n);                            \
	} while (0)

/* A column round, then a diagonal round. */
#define DOUBLE_ROUND(v)                                                \
	do {                                                           \
		STEP(v, 0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16);   \
		STEP(v, 8, 9, 10, 11, 12, 13, 14, 15, 4, 5, 6, 7, 12); \
		STEP(v, 0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 8);    \
		STEP(v, 8, 9, 10, 11, 12, 13, 14, 15, 4, 5, 6, 7, 7);  \
                                                                       \
		STEP(v, 0, 1, 2, 3, 5, 6, 7, 4, 15, 12, 13, 14, 16);   \
		STEP(v, 10, 11, 8, 9, 15, 12, 13, 14, 5, 6, 7, 4, 12); \
		STEP(v, 0, 1, 2, 3, 5, 6, 7, 4, 15, 12, 13, 14, 8);    \
		STEP(v, 10, 11, 8, 9, 15, 12, 13, 14, 5, 6, 7, 4, 7);  \
	} while (0)

#endif
