/* SPDX-License-Identifier: MIT */
/* vgetrandom._peers: the kernel's own vDSO getrandom, for the benchmark to compare with. It is
 * called as glibc 2.41 and later call it, with one opaque state per thread.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "../vdso.h"
#include "slots.h"

static vdso_getrandom_fn *kernel_getrandom;
static struct vdso_params params;

/* Never unmapped: a benchmark has few threads and ends soon. */
static _Thread_local void *state;

/* Fills BUF; returns 0 or an errno. Does not need the GIL. */
static int vdso_fill(char *buf, size_t len)
{
	if (!kernel_getrandom)
		return ENOSYS;
	if (!state) {
		void *page = mmap(NULL, params.size_of_opaque_state, (int)params.mmap_prot,
				  (int)params.mmap_flags, -1, 0);

		if (page == MAP_FAILED)
			return errno;
		state = page;
	}
	while (len) {
		ssize_t got = kernel_getrandom(buf, len, 0, state, params.size_of_opaque_state);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)-got;
		buf += got;
		len -= (size_t)got;
	}
	return 0;
}

/* CPython's os.urandom releases the GIL on every call, so its peer does too. */
static int vdso_fill_without_gil(char *buf, size_t len)
{
	PyThreadState *python = PyEval_SaveThread();
	int error = vdso_fill(buf, len);

	PyEval_RestoreThread(python);
	if (!error)
		return 0;
	errno = error;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static PyObject *vdso_bytes(PyObject *Py_UNUSED(module), PyObject *size)
{
	Py_ssize_t len = PyNumber_AsSsize_t(size, PyExc_OverflowError);
	PyObject *bytes;

	if (len == -1 && PyErr_Occurred())
		return NULL;
	if (len < 0)
		return PyErr_Format(PyExc_ValueError, "negative argument not allowed");
	bytes = PyBytes_FromStringAndSize(NULL, len);
	if (bytes && vdso_fill_without_gil(PyBytes_AsString(bytes), (size_t)len))
		Py_CLEAR(bytes);
	return bytes;
}

static PyObject *vdso_bytes_into(PyObject *Py_UNUSED(module), PyObject *buffer)
{
	Py_buffer view;
	int failed;

	if (PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE))
		return NULL;
	failed = vdso_fill_without_gil(view.buf, (size_t)view.len);
	PyBuffer_Release(&view);
	if (failed)
		return NULL;
	/* Not Py_RETURN_NONE: with 3.12's headers it relies on None being immortal, which it is not
	 * in 3.11. */
	return Py_NewRef(Py_None);
}

static PyObject *vdso_available(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
	return PyBool_FromLong(kernel_getrandom != NULL);
}

static PyMethodDef methods[] = {
	{ "vdso_bytes", vdso_bytes, METH_O,
	  "vdso_bytes(size, /)\n--\n\nReturn size bytes from the kernel's vDSO getrandom." },
	{ "vdso_bytes_into", vdso_bytes_into, METH_O,
	  "vdso_bytes_into(buffer, /)\n--\n\nFill buffer from the kernel's vDSO getrandom." },
	{ "vdso_available", vdso_available, METH_NOARGS,
	  "vdso_available()\n--\n\nReturn whether this kernel has a vDSO getrandom." },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "vgetrandom._peers",
	.m_doc = "The kernel's vDSO getrandom, called directly: a peer for the benchmark.",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__peers(void)
{
	/* Another interpreter of this process may be drawing already: leave what it has found. */
	if (!kernel_getrandom)
		kernel_getrandom = vdso_getrandom(&params);
	module.m_slots = slots_for_this_python(NULL);
	return PyModuleDef_Init(&module);
}
