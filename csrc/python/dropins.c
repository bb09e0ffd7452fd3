/* SPDX-License-Identifier: MIT */
/* vgetrandom._dropins: the native parts of random, secrets and uuid. This file is the module
 * itself. */
#include "dropins.h"
#include "slots.h"

/* A tuple of SELF, unless it is NULL, and ARGS. */
static PyObject *positional(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
	PyObject *tuple = PyTuple_New(nargs + !!self);

	if (!tuple)
		return NULL;
	if (self && PyTuple_SetItem(tuple, 0, Py_NewRef(self)))
		goto fail;
	for (Py_ssize_t i = 0; i < nargs; i++)
		if (PyTuple_SetItem(tuple, i + !!self, Py_NewRef(args[i])))
			goto fail;
	return tuple;
fail:
	Py_DECREF(tuple);
	return NULL;
}

PyObject *call_standard(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
			PyObject *kwnames)
{
	PyObject *tuple, *keywords = NULL, *result = NULL;

	if (!callable) {
		PyErr_SetString(PyExc_RuntimeError,
				"the standard library's function was not handed in");
		return NULL;
	}
	tuple = positional(self, args, nargs);
	if (!tuple)
		return NULL;
	if (kwnames) {
		keywords = PyDict_New();
		for (Py_ssize_t i = 0; keywords && i < PyTuple_Size(kwnames); i++)
			if (PyDict_SetItem(keywords, PyTuple_GetItem(kwnames, i), args[nargs + i]))
				Py_CLEAR(keywords);
		if (!keywords)
			goto done;
	}
	result = PyObject_Call(callable, tuple, keywords);
done:
	Py_XDECREF(keywords);
	Py_DECREF(tuple);
	return result;
}

/* Stores the attributes NAMES of OWNER in PLACES; -1 with an exception set if one is missing. */
static int take_attributes(PyObject *owner, const char *const *names, PyObject **places, int count)
{
	for (int i = 0; i < count; i++) {
		PyObject *found = PyObject_GetAttrString(owner, names[i]);

		if (!found)
			return -1;
		replace(&places[i], found);
	}
	return 0;
}

static PyObject *use_random(PyObject *module, PyObject *args)
{
	static const char *const names[METHODS] = {
		[GETRANDBITS] = "getrandbits", [RANDBYTES] = "randbytes",
		[RANDBELOW] = "_randbelow",    [RANDRANGE] = "randrange",
		[RANDINT] = "randint",         [UNIFORM] = "uniform",
		[CHOICE] = "choice",           [CHOICES] = "choices",
		[SHUFFLE] = "shuffle",         [SAMPLE] = "sample",
	};
	struct dropins *state = PyModule_GetState(module);
	PyObject *exact, *standard;

	if (!PyArg_ParseTuple(args, "O!O:use_random", &PyType_Type, &exact, &standard) ||
	    take_attributes(standard, names, state->methods, METHODS))
		return NULL;
	replace(&state->exact, Py_NewRef(exact));
	return Py_NewRef(Py_None);
}

static PyObject *use_secrets(PyObject *module, PyObject *standard)
{
	static const char *const names[FUNCTIONS] = {
		[SECRETS_RANDBELOW] = "randbelow",         [SECRETS_RANDBITS] = "randbits",
		[SECRETS_TOKEN_BYTES] = "token_bytes",     [SECRETS_TOKEN_HEX] = "token_hex",
		[SECRETS_TOKEN_URLSAFE] = "token_urlsafe",
	};
	struct dropins *state = PyModule_GetState(module);

	if (take_attributes(standard, names, state->functions, FUNCTIONS))
		return NULL;
	return Py_NewRef(Py_None);
}

static PyMethodDef setup_functions[] = {
	{ "use_random", use_random, METH_VARARGS,
	  "Take the exact class, and where its methods go with unusual arguments." },
	{ "use_secrets", use_secrets, METH_O,
	  "Take the module that functions of secrets go to with unusual arguments." },
	{ NULL, NULL, 0, NULL },
};

/* ---- the module ---- */

static int exec(PyObject *module)
{
	struct dropins *state = PyModule_GetState(module);
	PyObject *package = PyImport_ImportModule("vgetrandom._native");

	if (!package)
		return -1;
	state->random_bytes = PyObject_GetAttrString(package, "random_bytes");
	Py_DECREF(package);
	state->from_bytes = PyObject_GetAttrString((PyObject *)&PyLong_Type, "from_bytes");
	state->empty = PyTuple_New(0);
	state->native = PyType_FromModuleAndSpec(module, &random_methods_spec, NULL);
	if (!state->random_bytes || !state->from_bytes || !state->empty || !state->native ||
	    PyModule_AddObjectRef(module, "RandomMethods", state->native) ||
	    PyModule_AddFunctions(module, setup_functions) ||
	    PyModule_AddFunctions(module, secrets_functions) ||
	    PyModule_AddFunctions(module, uuid_functions))
		return -1;
	return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
	struct dropins *state = PyModule_GetState(module);

	Py_VISIT(state->native);
	Py_VISIT(state->exact);
	for (int i = 0; i < METHODS; i++)
		Py_VISIT(state->methods[i]);
	for (int i = 0; i < FUNCTIONS; i++)
		Py_VISIT(state->functions[i]);
	Py_VISIT(state->random_bytes);
	Py_VISIT(state->from_bytes);
	Py_VISIT(state->uuid);
	Py_VISIT(state->uuid_int);
	Py_VISIT(state->uuid_is_safe);
	Py_VISIT(state->unknown);
	return 0;
}

static int clear(PyObject *module)
{
	struct dropins *state = PyModule_GetState(module);

	Py_CLEAR(state->native);
	Py_CLEAR(state->exact);
	for (int i = 0; i < METHODS; i++)
		Py_CLEAR(state->methods[i]);
	for (int i = 0; i < FUNCTIONS; i++)
		Py_CLEAR(state->functions[i]);
	Py_CLEAR(state->random_bytes);
	Py_CLEAR(state->from_bytes);
	state->uuid_new = NULL;
	Py_CLEAR(state->uuid);
	Py_CLEAR(state->uuid_int);
	Py_CLEAR(state->uuid_is_safe);
	Py_CLEAR(state->unknown);
	Py_CLEAR(state->empty);
	return 0;
}

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "vgetrandom._dropins",
	.m_size = sizeof(struct dropins),
	.m_traverse = traverse,
	.m_clear = clear,
};

PyMODINIT_FUNC PyInit__dropins(void)
{
	module.m_slots = slots_for_this_python(exec);
	return PyModuleDef_Init(&module);
}
