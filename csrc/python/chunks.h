/* SPDX-License-Identifier: MIT */
/* Filling large buffers in chunks, without the GIL, and handling signals between two chunks. */
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

/* A chunk takes a few milliseconds if its memory is new, so Ctrl-C has an effect soon. */
#define CHUNK_BYTES ((size_t)16 << 20)

/* Fills SIZE bytes AT; false with errno set if the kernel failed. May be called without the GIL.
 * With ONE_DRAW, all bytes must come from one call of vgetrandom(), which notices a fork by itself.
 * HOW is what the caller of fill_in_chunks() has passed. */
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
		/* If a fork cannot be told, no handler may run while there are bytes in BUF: it
		 * might fork, and both processes would return them. Ctrl-C has to wait then. */
		if (!process)
			continue;
		if (size >= RELEASE_GIL_BYTES && PyErr_CheckSignals())
			goto fail;
		uint64_t now = vgetrandom_process();

		/* A handler has forked and this is the child. The parent has these chunks too, so
		 * start over. */
		if (now != process) {
			process = now;
			done = 0;
		}
	}
	return 0;

fail:
	/* Not all of BUF: the rest may be gigabytes to which no memory has been given yet. */
	memset(buf, 0, touched);
	return -1;
}

#endif
