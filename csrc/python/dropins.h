/* SPDX-License-Identifier: MIT */
/* What the drop-ins share: the module's state, and the way back to the standard library. */
#ifndef VGETRANDOM_PYTHON_DROPINS_H
#define VGETRANDOM_PYTHON_DROPINS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* The methods that are native only where nobody has overridden what they are made of, and those
 * that hand unusual arguments to the standard library. */
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
	PyObject *exact;  /* vgetrandom.SystemRandom itself: of it nothing is overridden */
	PyObject *methods[METHODS];
	PyObject *functions[FUNCTIONS];
	PyObject *random_bytes;
	PyObject *from_bytes; /* int.from_bytes, big-endian unless it is told otherwise */

	/* uuid.UUID, and how to make one past its constructor. */
	PyObject *uuid;
	newfunc uuid_new;
	PyObject *uuid_int, *uuid_is_safe; /* the slots' descriptors */
	descrsetfunc set_int, set_is_safe;
	PyObject *unknown; /* uuid.SafeUUID.unknown */
	PyObject *empty;   /* () */
};

/* Puts WITH, whose reference it takes over, into *PLACE. */
static inline void replace(PyObject **place, PyObject *with)
{
	PyObject *before = *place;

	*place = with;
	Py_XDECREF(before);
}

/* CALLABLE(SELF, *ARGS) with FASTCALL's keywords; SELF may be NULL. */
PyObject *call_standard(PyObject *callable, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
			PyObject *kwnames);

/* Whether OBJECT is an int, no subclass, that fits; stored in *VALUE then. Sets no exception. */
bool exact_int(PyObject *object, int64_t *value);

/* SIZE >= 0 random bytes; NULL with an exception set on failure. */
PyObject *random_bytes_object(struct dropins *state, Py_ssize_t size);

/* The int that BYTES, big-endian, stand for; wipes them and gives up the reference. They must have
 * been made by the caller and be unknown to everybody else. */
PyObject *int_from(struct dropins *state, PyObject *bytes);

/* COUNT random bits, COUNT > 0; NULL with an exception set on failure. */
PyObject *random_bits(struct dropins *state, Py_ssize_t count);

extern PyType_Spec random_methods_spec;
extern PyMethodDef secrets_functions[], uuid_functions[];

#endif
