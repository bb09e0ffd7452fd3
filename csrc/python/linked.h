/* SPDX-License-Identifier: MIT */
#ifndef VGETRANDOM_PYTHON_LINKED_H
#define VGETRANDOM_PYTHON_LINKED_H

#include <Python.h>

/* linked(): the library that this extension is linked with, and the addresses of its functions. */
PyObject *linked(PyObject *module, PyObject *unused);
extern const char linked_doc[];

/* Sets an exception and returns -1 if the functions come from two versions of the library: reseed()
 * of one would not reach the states that random_bytes() of the other draws from. */
int linked_with_one(void);

#endif
