/* SPDX-License-Identifier: MIT */
/* vgetrandom._arrays: fills whole arrays with numbers made from bulk keystream. It knows buffers,
 * not NumPy. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vgetrandom.h>

#include "bit_generator.h"
#include "chunks.h"
#include "numbers.h"
#include "slots.h"
#include "words.h"

#include <stdbool.h>

/* Keystream is converted piece by piece while it is still in the cache. A piece is as much as the
 * core computes under one key. */
#define PIECE_BYTES ((size_t)64 << 10)

static bool fill_numbers(char *at, size_t size, bool one_draw, const void *how)
{
	const struct numbers *numbers = how;
	size_t piece = one_draw ? size : PIECE_BYTES;

	while (size > 0) {
		size_t bytes = size < piece ? size : piece;
		size_t count = bytes / numbers->width;
		size_t words = count * numbers->word;

		if (vgetrandom(at + bytes - words, words, 0) != (ssize_t)words ||
		    !numbers->convert(at, count, numbers))
			return false;
		at += bytes;
		size -= bytes;
	}
	return true;
}

static PyObject *fill_buffer(PyObject *array, const struct numbers *numbers)
{
	Py_buffer view;

	if (PyObject_GetBuffer(array, &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS))
		return NULL;
	size_t size = (size_t)view.len / numbers->width * numbers->width;
	int failed = fill_in_chunks(view.buf, size, fill_numbers, numbers);

	PyBuffer_Release(&view);
	return failed ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(doubles_into_doc, "doubles_into($module, array, /)\n--\n\n"
			       "Fill an array with doubles from 0 to 1, 1 not included.");

static PyObject *doubles_into(PyObject *module, PyObject *array)
{
	(void)module;
	return fill_buffer(array, &doubles);
}

PyDoc_STRVAR(floats_into_doc, "floats_into($module, array, /)\n--\n\n"
			      "Fill an array with floats from 0 to 1, 1 not included.");

static PyObject *floats_into(PyObject *module, PyObject *array)
{
	(void)module;
	return fill_buffer(array, &floats);
}

PyDoc_STRVAR(integers_into_doc,
	     "integers_into($module, array, width, low, span, /)\n--\n\n"
	     "Fill an array with integers of so many bytes, each of low to low + span - 1\n"
	     "as likely as the others; a span of 0 stands for all that there are.");

static PyObject *integers_into(PyObject *module, PyObject *args)
{
	struct numbers integers = { 0 };
	unsigned long long low, span;
	Py_ssize_t width;
	PyObject *array;

	(void)module;
	if (!PyArg_ParseTuple(args, "OnKK", &array, &width, &low, &span))
		return NULL;
	integers.width = (size_t)width;
	integers.low = low;
	integers.span = span;
	if (!describe_integers(&integers))
		return PyErr_Format(PyExc_ValueError, "no integers of %zd bytes", width);
	return fill_buffer(array, &integers);
}

PyDoc_STRVAR(one_double_doc, "double($module, /)\n--\n\n"
			     "Return a float from 0 to 1, 1 not included.");

static PyObject *one_double(PyObject *module, PyObject *unused)
{
	double value;

	(void)module, (void)unused;
	return unit_double(&value) ? NULL : PyFloat_FromDouble(value);
}

/* ---- the module ---- */

static PyMethodDef methods[] = {
	{ "attach", attach, METH_O, attach_doc },
	{ "double", one_double, METH_NOARGS, one_double_doc },
	{ "doubles_into", doubles_into, METH_O, doubles_into_doc },
	{ "floats_into", floats_into, METH_O, floats_into_doc },
	{ "integers_into", integers_into, METH_VARARGS, integers_into_doc },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "vgetrandom._arrays",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__arrays(void)
{
	module.m_slots = slots_for_this_python(NULL);
	return PyModuleDef_Init(&module);
}
