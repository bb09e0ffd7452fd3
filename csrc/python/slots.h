/* SPDX-License-Identifier: MIT */
/* Module slots that later interpreters want and the stable ABI of 3.11 does not have. */
#ifndef VGETRANDOM_PYTHON_SLOTS_H
#define VGETRANDOM_PYTHON_SLOTS_H

#include <Python.h>

enum {
	SLOT_MULTIPLE_INTERPRETERS = 3, /* Py_mod_multiple_interpreters, 3.12 */
	SLOT_GIL = 4,                   /* Py_mod_gil, 3.13 */
};
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#define GIL_NOT_USED ((void *)1)

/* Chosen at run time, because an interpreter refuses slots that it does not know. EXECUTE, which
 * may be NULL, fills the new module; it returns -1 with an exception set if that fails. */
static PyModuleDef_Slot *slots_for_this_python(int (*execute)(PyObject *module))
{
	static PyModuleDef_Slot slots[4];
	PyModuleDef_Slot *slot = slots;

	if (execute)
		*slot++ = (PyModuleDef_Slot){ Py_mod_exec, execute };
	if (Py_Version >= 0x030C0000)
		*slot++ = (PyModuleDef_Slot){ SLOT_MULTIPLE_INTERPRETERS,
					      PER_INTERPRETER_GIL_SUPPORTED };
	if (Py_Version >= 0x030D0000)
		*slot++ = (PyModuleDef_Slot){ SLOT_GIL, GIL_NOT_USED };
	return slots;
}

#endif
