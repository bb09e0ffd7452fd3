/* SPDX-License-Identifier: MIT */
/* What to do when vgetrandom() has failed. */
#ifndef VGETRANDOM_PYTHON_FAILED_DRAW_H
#define VGETRANDOM_PYTHON_FAILED_DRAW_H

#include <Python.h>

#include <errno.h>

/* 0 if the draw is to be made again: a signal ended the wait for the kernel's generator, early
 * after boot, and its handler has run and raised nothing. Otherwise -1 with an exception set. */
static inline int after_failed_draw(void)
{
	if (errno == EINTR)
		return PyErr_CheckSignals();
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

#endif
