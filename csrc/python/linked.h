/* SPDX-License-Identifier: MIT */
#ifndef VGETRANDOM_PYTHON_LINKED_H
#define VGETRANDOM_PYTHON_LINKED_H

#include <Python.h>

/* linked(): where the library is that this extension is linked with, and its functions. */
PyObject *linked(PyObject *module, PyObject *unused);
extern const char linked_doc[];

#endif
