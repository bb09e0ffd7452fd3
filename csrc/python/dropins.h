/* SPDX-License-Identifier: MIT */
/* What the drop-ins share: the module's state, and the way back to the standard library. */
#ifndef VGETRANDOM_PYTHON_DROPINS_H
#define VGETRANDOM_PYTHON_DROPINS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* The standard library's methods of the same name, for unusual arguments, and for subclasses that
 * may have overridden what a method is built from. */
enum method {
	GETRANDBITS,
	RANDBYTES,
	RANDBELOW,
	RANDRANGE,
	RANDINT,
	UNIFORM,
	CHOICE,
	CHOICES,
	SHUFFLE,
	SAMPLE,
	METHODS,
};

/* The functions of the standard module secrets. */
enum function {
	SECRETS_RANDBELOW,
	SECRETS_RANDBITS,
	SECRETS_TOKEN_BYTES,
	SECRETS_TOKEN_HEX,
	SECRETS_TOKEN_URLSAFE,
	FUNCTIONS,
};

struct dropins {
	PyObject *native; /* the type RandomMethods */
	PyObject *exact;  /* vgetrandom.SystemRandom itself, where nothing is overridden */
	PyObject *methods[METHODS];
	PyObject *functions[FUNCTIONS];
	PyObject *random_bytes;
	PyObject *from_bytes; /* int.from_bytes, whose default is big-endian */

	/* uuid.UUID, and what it takes to make one without its constructor, which is slow. */
	PyObject *uuid;
	newfunc uuid_new;
	PyObject *uuid_int, *uuid_is_safe; /* the slots' descriptors */
	descrsetfunc set_int, set_is_safe;
	PyObject *unknown; /* uuid.SafeUUID.unknown */
	PyObject *empty;   /* () */
};

/* Stores WITH in *PLACE and drops what was there. Takes over the reference to WITH. */
static inline void replace(PyObject **place, PyObject *with)
{
	PyObject *before = *place;

	*place = with;
	Py_XDECREF(before);
}

/* Calls CALLABLE(SELF, *ARGS, **keywords), with keywords as METH_FASTCALL passes them. SELF may be
 * NULL. */
PyObject *call_standard(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
			PyObject *kwnames);

/* If OBJECT is an int (not of a subclass) that fits into *VALUE, stores it. Sets no exception. */
bool exact_int(PyObject *object, int64_t *value);

/* SIZE >= 0 random bytes; NULL with an exception set on failure. */
PyObject *random_bytes_object(struct dropins *state, Py_ssize_t size);

/* Returns the int that BYTES are, big-endian. Wipes BYTES and drops the reference, so nobody else
 * may have one. */
PyObject *int_from(struct dropins *state, PyObject *bytes);

/* COUNT random bits, COUNT > 0; NULL with an exception set on failure. */
PyObject *random_bits(struct dropins *state, Py_ssize_t count);

extern PyType_Spec random_methods_spec;
extern PyMethodDef secrets_functions[], uuid_functions[];

#endif
