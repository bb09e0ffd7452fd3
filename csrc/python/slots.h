/* SPDX-License-Identifier: MIT */
/* The slots that later interpreters want and 3.11's stable ABI does not name. */
#ifndef VGETRANDOM_PYTHON_SLOTS_H
#define VGETRANDOM_PYTHON_SLOTS_H

#include <Python.h>

enum {
	SLOT_MULTIPLE_INTERPRETERS = 3, /* Py_mod_multiple_interpreters, 3.12 */
	SLOT_GIL = 4,                   /* Py_mod_gil, 3.13 */
};
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#define GIL_NOT_USED ((void *)1)

/* An interpreter refuses a slot that it does not know, so this is settled at run time. EXECUTE may
 * be NULL: it fills the new module, and returns -1 with an exception set where that fails. */
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
