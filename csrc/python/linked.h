/* SPDX-License-Identifier: MIT */
#ifndef VGETRANDOM_PYTHON_LINKED_H
#define VGETRANDOM_PYTHON_LINKED_H

#include <Python.h>

/* linked(): where the library is that this extension is linked with, and its functions. */
PyObject *linked(PyObject *module, PyObject *unused);
extern const char linked_doc[];

/* Sets an exception and returns -1 where the functions come from two versions of the library: what
 * one of them does would not reach the states that the other one draws from. */
int linked_with_one(void);

#endif
