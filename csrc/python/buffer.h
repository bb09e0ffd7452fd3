/* SPDX-License-Identifier: MIT */
/* Getting the buffer of an argument: one to be filled with random bytes, which must be writable and
 * must not hold pointers, or one to be read. */
#ifndef VGETRANDOM_PYTHON_BUFFER_H
#define VGETRANDOM_PYTHON_BUFFER_H

#include <Python.h>

#include <stdbool.h>
#include <string.h>

#define FILLABLE (PyBUF_WRITABLE | PyBUF_ANY_CONTIGUOUS)
#define WANTED_FILLABLE "random_bytes_into() argument must be a contiguous read-write"

/* FORMAT is that of PEP 3118. An O outside of the :names: of fields means a pointer to a Python
 * object. Random pointers would crash the interpreter at the next look at one. */
static inline bool format_has_objects(const char *format)
{
	while (format && *format) {
		const char *name = *format == ':' ? strchr(format + 1, ':') : NULL;

		if (*format == 'O')
			return true;
		format = (name ? name : format) + 1;
	}
	return false;
}

/* For an array without a format (NumPy has none for dates): 1 if its dtype has objects, 0 if not or
 * if it has no dtype, -1 with an exception set. */
static inline int dtype_has_objects(PyObject *array)
{
	PyObject *dtype = PyObject_GetAttrString(array, "dtype"), *has = NULL;
	int answer = 0;

	if (dtype)
		has = PyObject_GetAttrString(dtype, "hasobject");
	if (has)
		answer = PyObject_IsTrue(has);
	else if (PyErr_ExceptionMatches(PyExc_AttributeError))
		PyErr_Clear();
	else
		answer = -1;
	Py_XDECREF(has);
	Py_XDECREF(dtype);
	return answer;
}

/* Sets a TypeError. WANTED begins its sentence: which function, and what kind of object it wants.
 */
static inline void refuse(PyObject *arg, const char *wanted, const char *why)
{
	PyObject *name = PyType_GetName(Py_TYPE(arg));

	if (!name)
		return;
	PyErr_Format(PyExc_TypeError, "%s bytes-like object, not %U%s", wanted, name, why);
	Py_DECREF(name);
}

/* Sets the exception after PyObject_GetBuffer() has failed: a TypeError if ARG has no buffer or
 * none of the kind that is WANTED; otherwise the object's own (of a closed mmap, say). */
static inline void refuse_as_it_did(PyObject *arg, const char *wanted, bool writable)
{
	PyObject *type, *value, *traceback;
	Py_buffer view;
	const char *why = "";

	PyErr_Fetch(&type, &value, &traceback);
	if (PyObject_GetBuffer(arg, &view, PyBUF_INDIRECT) == 0) {
		why = writable && view.readonly ? " (it is read-only)" : " (it is not contiguous)";
		PyBuffer_Release(&view);
	} else if (PyObject_CheckBuffer(arg)) {
		PyErr_Clear();
		PyErr_Restore(type, value, traceback);
		return;
	}
	PyErr_Clear();
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
	refuse(arg, wanted, why);
}

/* Fills in VIEW, to be released; or sets an exception and returns -1. */
static inline int get_fillable(PyObject *arg, Py_buffer *view)
{
	int objects;

	if (PyObject_GetBuffer(arg, view, FILLABLE | PyBUF_FORMAT) == 0) {
		objects = format_has_objects(view->format);
	} else {
		PyErr_Clear();
		if (PyObject_GetBuffer(arg, view, FILLABLE)) {
			refuse_as_it_did(arg, WANTED_FILLABLE, true);
			return -1;
		}
		objects = dtype_has_objects(arg);
	}
	if (objects == 0)
		return 0;
	PyBuffer_Release(view);
	if (objects > 0)
		refuse(arg, WANTED_FILLABLE, " (it holds Python objects)");
	return -1;
}

/* Likewise, for any C-contiguous buffer; WANTED as in refuse(). */
static inline int get_readable(PyObject *arg, Py_buffer *view, const char *wanted)
{
	if (PyObject_GetBuffer(arg, view, PyBUF_SIMPLE) == 0)
		return 0;
	refuse_as_it_did(arg, wanted, false);
	return -1;
}

#endif
