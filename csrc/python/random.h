/* SPDX-License-Identifier: MIT */
/* What the native methods of vgetrandom.SystemRandom in random.c and sequences.c share. */
#ifndef VGETRANDOM_PYTHON_RANDOM_H
#define VGETRANDOM_PYTHON_RANDOM_H

#include "dropins.h"

/* The module's state if SELF is exactly a vgetrandom.SystemRandom, NULL if of a subclass. */
static inline struct dropins *if_exact(PyObject *self, PyTypeObject *defining)
{
	struct dropins *state = PyType_GetModuleState(defining);

	return (PyObject *)Py_TYPE(self) == state->exact ? state : NULL;
}

static inline PyObject *standard(enum method method, PyTypeObject *defining, PyObject *self,
				 PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	struct dropins *state = PyType_GetModuleState(defining);

	return call_standard(state->methods[method], self, args, nargs, kwnames);
}
#define STANDARD(method) standard(method, defining, self, args, nargs, kwnames)

typedef PyObject *random_method(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				Py_ssize_t nargs, PyObject *kwnames);

random_method method_choice, method_choices, method_shuffle, method_sample;

#endif
