/* SPDX-License-Identifier: MIT */
#ifndef VGETRANDOM_PYTHON_CONTROL_H
#define VGETRANDOM_PYTHON_CONTROL_H

#include <Python.h>

/* Methods of the module; vgetrandom/__init__.py has their documentation. */
PyObject *control_info(PyObject *module, PyObject *unused);
PyObject *control_stats(PyObject *module, PyObject *unused);
PyObject *control_prepare(PyObject *module, PyObject *unused);
PyObject *control_reseed(PyObject *module, PyObject *additional);

#endif
