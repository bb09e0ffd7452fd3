/* SPDX-License-Identifier: MIT */
/* Which library this extension is linked with, for get_library(), and for tests that call it
 * through cffi.
 *
 * A process may have two copies of the library, the package's and the system's for instance. The
 * loader decides which one this extension gets, by SONAME and by what is loaded already. Someone
 * who opens the package's file by its path might get the other copy, with other states than those
 * that random_bytes() draws from. */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include "linked.h"

#include <vgetrandom.h>

#include <dlfcn.h>

static const struct {
	const char *name;
	void *address;
} functions[] = {
	{ "vgetrandom", vgetrandom },
	{ "vgetrandom_generator_new", vgetrandom_generator_new },
	{ "vgetrandom_generator_free", vgetrandom_generator_free },
	{ "vgetrandom_generator_u64", vgetrandom_generator_u64 },
	{ "vgetrandom_generator_u32", vgetrandom_generator_u32 },
	{ "vgetrandom_generator_double", vgetrandom_generator_double },
	{ "vgetrandom_get_info", vgetrandom_get_info },
	{ "vgetrandom_get_stats", vgetrandom_get_stats },
	{ "vgetrandom_process", vgetrandom_process },
	{ "vgetrandom_prepare", vgetrandom_prepare },
	{ "vgetrandom_reseed", vgetrandom_reseed },
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

const char linked_doc[] =
	"linked($module, /)\n"
	"--\n"
	"\n"
	"Tell which library this extension is linked with.\n"
	"\n"
	"Returns:\n"
	"    tuple[str, dict[str, int]]: The path of the file, and the address of\n"
	"        each of its functions.\n"
	"\n"
	"Raises:\n"
	"    ImportError: The functions come from two different files.";

static PyObject *addresses(void)
{
	PyObject *dict = PyDict_New();

	for (size_t i = 0; dict && i < FUNCTIONS; i++) {
		PyObject *address = PyLong_FromVoidPtr(functions[i].address);

		if (!address || PyDict_SetItemString(dict, functions[i].name, address))
			Py_CLEAR(dict);
		Py_XDECREF(address);
	}
	return dict;
}

/* Describes in FIRST the file that has all functions; or sets an exception and returns -1. */
static int find_one_file(Dl_info *first)
{
	Dl_info other = { 0 };

	/* A preloaded library of another version may have some of the functions and not all. */
	for (size_t i = 0; i < FUNCTIONS; i++) {
		if (!dladdr(functions[i].address, i ? &other : first)) {
			PyErr_Format(PyExc_ImportError, "no file is known to contain %s()",
				     functions[i].name);
			return -1;
		}
		if (i && other.dli_fbase != first->dli_fbase) {
			PyErr_Format(PyExc_ImportError,
				     "%s() comes from %s, but %s() from %s: two versions of "
				     "libvgetrandom are mixed up in this process",
				     functions[0].name, first->dli_fname, functions[i].name,
				     other.dli_fname);
			return -1;
		}
	}
	return 0;
}

int linked_with_one(void)
{
	static _Atomic int known;
	Dl_info file = { 0 };

	if (!known && find_one_file(&file))
		return -1;
	known = 1;
	return 0;
}

PyObject *linked(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	Dl_info file = { 0 };

	if (find_one_file(&file))
		return NULL;
	PyObject *path = PyUnicode_DecodeFSDefault(file.dli_fname);
	PyObject *table = path ? addresses() : NULL;
	PyObject *result = table ? PyTuple_Pack(2, path, table) : NULL;

	Py_XDECREF(path);
	Py_XDECREF(table);
	return result;
}
