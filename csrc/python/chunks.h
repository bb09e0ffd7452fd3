/* SPDX-License-Identifier: MIT */
/* Filling large buffers in chunks: without the GIL, and with signals answered between two chunks.
 */
#ifndef VGETRANDOM_PYTHON_CHUNKS_H
#define VGETRANDOM_PYTHON_CHUNKS_H

#include <Python.h>

#include <vgetrandom.h>

#include "failed_draw.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* From here up the GIL is released: releasing it costs little beside computing so many bytes
 * (bench/gil.py). */
#ifndef RELEASE_GIL_BYTES
#define RELEASE_GIL_BYTES 8192
#endif

/* A chunk takes a few milliseconds in memory that is new: Ctrl-C need not wait longer. */
#define CHUNK_BYTES ((size_t)16 << 20)

/* Fills SIZE bytes AT; false with errno set where the kernel failed. Called without the GIL. With
 * ONE_DRAW, all of it must come from one call of vgetrandom(), which notices a fork by itself. HOW
 * is the caller's. */
typedef bool fill_fn(char *at, size_t size, bool one_draw, const void *how);

static inline bool fill_without_gil(fill_fn *fill, char *at, size_t size, bool one_draw,
				    const void *how)
{
	bool filled;

	if (size < RELEASE_GIL_BYTES)
		return fill(at, size, one_draw, how);
	Py_BEGIN_ALLOW_THREADS filled = fill(at, size, one_draw, how);
	Py_END_ALLOW_THREADS return filled;
}

/* 0, or -1 with an exception set and no part of a result in BUF. */
static inline int fill_in_chunks(char *buf, size_t size, fill_fn *fill, const void *how)
{
	uint64_t process = vgetrandom_process();
	size_t touched = 0;

	for (size_t done = 0; done < size;) {
		size_t left = size - done;
		size_t chunk = process && left > CHUNK_BYTES ? CHUNK_BYTES : left;

		if (done + chunk > touched)
			touched = done + chunk;
		if (fill_without_gil(fill, buf + done, chunk, !process, how))
			done += chunk;
		else if (after_failed_draw())
			goto fail;
		/* Where a fork cannot be told, no handler may run while there are bytes in BUF: it
		 * might fork, and both processes would return them. Better no answer to Ctrl-C. */
		if (!process)
			continue;
		if (size >= RELEASE_GIL_BYTES && PyErr_CheckSignals())
			goto fail;
		uint64_t now = vgetrandom_process();

		/* A handler forked and this is the child: its parent has these chunks too. */
		if (now != process) {
			process = now;
			done = 0;
		}
	}
	return 0;

fail:
	/* Not all of BUF: the rest may be gigabytes that have no memory yet. */
	memset(buf, 0, touched);
	return -1;
}

#endif
