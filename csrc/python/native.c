/* SPDX-License-Identifier: MIT */
/* vgetrandom._native: argument handling and object creation for the two hot functions. What is not
 * hot is in control.c and linked.c. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vgetrandom.h>

#include "buffer.h"
#include "chunks.h"
#include "control.h"
#include "huge_pages.h"
#include "linked.h"
#include "slots.h"

#include <stdbool.h>
#include <stddef.h>

static bool fill_bytes(char *at, size_t size, bool one_draw, const void *how)
{
	(void)one_draw, (void)how;
	return vgetrandom(at, size, 0) == (ssize_t)size;
}

/* No Python signal handler runs once there are bytes in BUF, so no fork need be noticed here. */
static int fill_in_one_draw(char *buf, size_t size)
{
	while (!fill_without_gil(fill_bytes, buf, size, true, NULL))
		if (after_failed_draw())
			return -1;
	return 0;
}

/* 0, or -1 with an exception set. */
static inline int fill_object(char *buf, size_t size)
{
	if (size < RELEASE_GIL_BYTES && vgetrandom(buf, size, 0) == (ssize_t)size)
		return 0;
	return size <= CHUNK_BYTES ? fill_in_one_draw(buf, size)
				   : fill_in_chunks(buf, size, fill_bytes, NULL);
}

PyDoc_STRVAR(random_bytes_doc,
	     "random_bytes($module, size, /)\n"
	     "--\n"
	     "\n"
	     "Return random bytes suitable for cryptographic use.\n"
	     "\n"
	     "The bytes come from a ChaCha20 generator (RFC 8439) that the calling thread\n"
	     "has to itself, keyed by getrandom(2) and following its contract.\n"
	     "A result of 4 MiB or more is asked to be in huge pages (madvise(2),\n"
	     "MADV_HUGEPAGE): one more system call, and far fewer page faults.\n"
	     "\n"
	     "Args:\n"
	     "    size (int): How many bytes; anything with `__index__` will do.\n"
	     "\n"
	     "Returns:\n"
	     "    bytes: size random bytes.\n"
	     "\n"
	     "Raises:\n"
	     "    ValueError: size is negative.\n"
	     "    TypeError: size is not an integer.\n"
	     "    OverflowError: size does not fit into a Py_ssize_t, or into an object.\n"
	     "    MemoryError: There is no memory for that many bytes.\n"
	     "    OSError: The kernel's getrandom failed; errno says how.");

/* The offset of the data in a bytes object. The stable ABI has a function for it, which would take
 * a twentieth of a small draw's time. It is the same for all objects, so it is asked once. */
static Py_ssize_t bytes_begin;

static int find_bytes_begin(void)
{
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, 1);

	if (!bytes)
		return -1;
	bytes_begin = PyBytes_AsString(bytes) - (char *)bytes;
	Py_DECREF(bytes);
	return 0;
}

/* Returns ARG as a size; -1 with an exception set if it is not one. */
static Py_ssize_t size_of(PyObject *arg)
{
	Py_ssize_t size = PyLong_AsSsize_t(arg);

	if (size >= 0)
		return size;
	/* Either ARG is no int but may have __index__(); or it does not fit, and fails again below.
	 */
	if (PyErr_Occurred()) {
		PyErr_Clear();
		PyObject *index = PyNumber_Index(arg);

		if (!index)
			return -1;
		size = PyLong_AsSsize_t(index);
		Py_DECREF(index);
		if (size == -1 && PyErr_Occurred())
			return -1;
	}
	if (size >= 0)
		return size;
	/* As os.urandom() of the interpreter at hand. */
	PyErr_SetString(PyExc_ValueError, Py_Version >= 0x030F0000
						  ? "size cannot be negative"
						  : "negative argument not allowed");
	return -1;
}

static PyObject *random_bytes(PyObject *module, PyObject *arg)
{
	(void)module;
	Py_ssize_t size = size_of(arg);

	if (size < 0)
		return NULL;
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);

	if (!bytes)
		return NULL;
	char *begin = (char *)bytes + bytes_begin;

	if ((size_t)size >= HUGE_PAGES_FROM_BYTES)
		advise_huge_pages(begin, (size_t)size);
	if (fill_object(begin, (size_t)size)) {
		Py_DECREF(bytes);
		return NULL;
	}
	return bytes;
}

PyDoc_STRVAR(random_bytes_into_doc,
	     "random_bytes_into($module, buffer, /)\n"
	     "--\n"
	     "\n"
	     "Fill a buffer with random bytes.\n"
	     "\n"
	     "Args:\n"
	     "    buffer (collections.abc.Buffer): Any writable contiguous buffer, such as\n"
	     "        a bytearray, a memoryview or a NumPy array. Its bytes are filled\n"
	     "        whatever the type of its items.\n"
	     "\n"
	     "Raises:\n"
	     "    TypeError: buffer is read-only, not contiguous, or not a buffer; or it\n"
	     "        holds Python objects, which random bytes would not be.\n"
	     "    OSError: The kernel's getrandom failed; errno says how, and the buffer\n"
	     "        holds no part of a result.");

static PyObject *random_bytes_into(PyObject *module, PyObject *arg)
{
	(void)module;
	Py_buffer view;

	if (get_fillable(arg, &view))
		return NULL;
	int failed = fill_object(view.buf, (size_t)view.len);

	PyBuffer_Release(&view);
	/* Not Py_RETURN_NONE: with 3.12's headers it relies on None being immortal, which it is not
	 * in 3.11. */
	return failed ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
	{ "random_bytes", random_bytes, METH_O, random_bytes_doc },
	{ "random_bytes_into", random_bytes_into, METH_O, random_bytes_into_doc },
	{ "info", control_info, METH_NOARGS, NULL },
	{ "stats", control_stats, METH_NOARGS, NULL },
	{ "prepare", control_prepare, METH_NOARGS, NULL },
	{ "reseed", control_reseed, METH_O, NULL },
	{ "linked", linked, METH_NOARGS, linked_doc },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "vgetrandom._native",
	.m_methods = methods,
};

static int execute(PyObject *self)
{
	if (find_bytes_begin())
		return -1;
	return PyModule_AddStringConstant(self, "__version__", VGETRANDOM_VERSION);
}

PyMODINIT_FUNC PyInit__native(void)
{
	module.m_slots = slots_for_this_python(execute);
	return PyModuleDef_Init(&module);
}
