/* SPDX-License-Identifier: MIT */
/* The buffer to be filled: any that can be written to as bytes, and whose bytes are bytes. And the
 * one to be read. */
#ifndef VGETRANDOM_PYTHON_BUFFER_H
#define VGETRANDOM_PYTHON_BUFFER_H

#include <Python.h>

#include <stdbool.h>
#include <string.h>

#define FILLABLE (PyBUF_WRITABLE | PyBUF_ANY_CONTIGUOUS)
#define WANTED_FILLABLE "random_bytes_into() argument must be a contiguous read-write"

/* FORMAT is that of PEP 3118. An O outside the :names: of fields stands for a pointer to a Python
 * object, and random pointers crash whoever follows them. */
static bool format_has_objects(const char *format)
{
	while (format && *format) {
		const char *name = *format == ':' ? strchr(format + 1, ':') : NULL;

		if (*format == 'O')
			return true;
		format = (name ? name : format) + 1;
	}
	return false;
}

/* What an array without a format says (NumPy has none for dates): 1 if it holds objects, 0 if not
 * or if it says nothing, -1 with an exception set. */
static int dtype_has_objects(PyObject *array)
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

/* WANTED begins the sentence: who refuses, and what kind of bytes-like object it wants. */
static void refuse(PyObject *arg, const char *wanted, const char *why)
{
	PyObject *name = PyType_GetName(Py_TYPE(arg));

	if (!name)
		return;
	PyErr_Format(PyExc_TypeError, "%s bytes-like object, not %U%s", wanted, name, why);
	Py_DECREF(name);
}

/* Why GetBuffer refused: what makes no buffer, or none of the kind that is WANTED, is a TypeError
 * here; anything else (a closed mmap, say) is the object's own error. */
static void refuse_as_it_did(PyObject *arg, const char *wanted, bool writable)
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
static int get_fillable(PyObject *arg, Py_buffer *view)
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
static int get_readable(PyObject *arg, Py_buffer *view, const char *wanted)
{
	if (PyObject_GetBuffer(arg, view, PyBUF_SIMPLE) == 0)
		return 0;
	refuse_as_it_did(arg, wanted, false);
	return -1;
}

#endif
