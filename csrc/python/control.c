/* SPDX-License-Identifier: MIT */
/* info(), stats(), prepare() and reseed() as plain values, from which vgetrandom/__init__.py makes
 * its objects. They are not bound by cffi, because a hook that runs after a restore must not fail
 * for want of it: cffi may not be installed, and does not support free-threaded 3.13. */
#define PY_SSIZE_T_CLEAN
#include "control.h"

#include <vgetrandom.h>

#include "buffer.h"
#include "linked.h"

#include <errno.h>

#define MAX_NOTES ((Py_ssize_t)(sizeof(((struct vgetrandom_info *)0)->notes) / sizeof(char *)))

static PyObject *notes_of(const struct vgetrandom_info *info)
{
	PyObject *notes;
	Py_ssize_t count = 0;

	while (count < MAX_NOTES && info->notes[count])
		count++;
	notes = PyTuple_New(count);
	for (Py_ssize_t i = 0; notes && i < count; i++) {
		PyObject *note = PyUnicode_FromString(info->notes[i]);

		if (!note || PyTuple_SetItem(notes, i, note))
			Py_CLEAR(notes);
	}
	return notes;
}

PyObject *control_info(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	struct vgetrandom_info info;

	if (linked_with_one())
		return NULL;
	PyThreadState *saved = PyEval_SaveThread();

	vgetrandom_get_info(&info);
	PyEval_RestoreThread(saved);
	PyObject *notes = notes_of(&info);

	if (!notes)
		return NULL;
	return Py_BuildValue("(sssssnnN)", info.chacha20, info.memory, info.kernel_entropy,
			     info.watch, info.clones, (Py_ssize_t)info.state_bytes,
			     (Py_ssize_t)info.batch_bytes, notes);
}

PyObject *control_stats(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	struct vgetrandom_stats stats;

	if (linked_with_one())
		return NULL;
	vgetrandom_get_stats(&stats);
	return Py_BuildValue("(K(KKKK)KK)", stats.refills, stats.reseeds_first, stats.reseeds_wiped,
			     stats.reseeds_generation, stats.reseeds_requested, stats.syscalls,
			     stats.fallbacks);
}

PyObject *control_prepare(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	if (linked_with_one())
		return NULL;
	PyThreadState *saved = PyEval_SaveThread();
	int failed = vgetrandom_prepare();

	PyEval_RestoreThread(saved);
	return failed ? PyErr_SetFromErrno(PyExc_OSError) : Py_NewRef(Py_None);
}

PyObject *control_reseed(PyObject *module, PyObject *additional)
{
	(void)module;
	Py_buffer view;

	if (linked_with_one() ||
	    get_readable(additional, &view, "reseed() argument must be a C-contiguous"))
		return NULL;
	PyThreadState *saved = PyEval_SaveThread();

	vgetrandom_reseed(view.buf, (size_t)view.len);
	PyEval_RestoreThread(saved);
	PyBuffer_Release(&view);
	return Py_NewRef(Py_None);
}
