/* SPDX-License-Identifier: MIT */
#ifndef VGETRANDOM_PYTHON_BIT_GENERATOR_H
#define VGETRANDOM_PYTHON_BIT_GENERATOR_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* attach(): puts a new generator behind the capsule of a numpy.random.BitGenerator. */
PyObject *attach(PyObject *module, PyObject *capsule);
extern const char attach_doc[];

#endif
