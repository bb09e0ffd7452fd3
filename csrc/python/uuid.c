/* SPDX-License-Identifier: MIT */
/* UUIDs of versions 4 and 7 (RFC 9562), as uuid.UUID objects and as text. */
#include "dropins.h"
#include "hex.h"
#include "words.h"

#include <stdatomic.h>
#include <time.h>

#define UUID_BYTES 16

static void set_version(unsigned char uuid[UUID_BYTES], unsigned int version)
{
	uuid[6] = (unsigned char)((uuid[6] & 0x0f) | version << 4);
	uuid[8] = (unsigned char)((uuid[8] & 0x3f) | 0x80);
}

static int random_uuid4(unsigned char uuid[UUID_BYTES])
{
	if (draw(uuid, UUID_BYTES))
		return -1;
	set_version(uuid, 4);
	return 0;
}

/* Milliseconds since the Unix epoch and 12 bits of their fraction (RFC 9562, section 6.2, method
 * 3), of the last UUID of any thread and interpreter. It always grows, and runs ahead of the clock
 * if that does not. */
static _Atomic uint64_t last_tick;

static uint64_t next_tick(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	uint64_t fraction = ((uint64_t)now.tv_nsec % 1000000 << 12) / 1000000;
	uint64_t tick, last = atomic_load_explicit(&last_tick, memory_order_relaxed);

	do
		tick = (ms << 12 | fraction) > last ? ms << 12 | fraction : last + 1;
	while (!atomic_compare_exchange_weak_explicit(&last_tick, &last, tick, memory_order_relaxed,
						      memory_order_relaxed));
	return tick;
}

static int random_uuid7(unsigned char uuid[UUID_BYTES])
{
	if (draw(uuid + 8, UUID_BYTES - 8))
		return -1;
	uint64_t tick = next_tick();

	for (int i = 0; i < 6; i++)
		uuid[i] = (unsigned char)(tick >> (52 - 8 * i));
	uuid[6] = (unsigned char)(tick >> 8 & 0x0f);
	uuid[7] = (unsigned char)tick;
	set_version(uuid, 7);
	return 0;
}

/* ---- objects ---- */

static PyObject *bytes_of(const unsigned char uuid[UUID_BYTES])
{
	return PyBytes_FromStringAndSize((const char *)uuid, UUID_BYTES);
}

/* As uuid.UUID(int=...) without its checks: makes an object and sets its two slots. */
static PyObject *object_of(struct dropins *state, const unsigned char uuid[UUID_BYTES])
{
	if (!state->uuid_new) {
		PyErr_SetString(PyExc_RuntimeError, "use_uuid() was not called");
		return NULL;
	}
	PyObject *bytes = bytes_of(uuid), *number = bytes ? int_from(state, bytes) : NULL;

	if (!number)
		return NULL;
	PyObject *object = state->uuid_new((PyTypeObject *)state->uuid, state->empty, NULL);

	if (object && (state->set_int(state->uuid_int, object, number) ||
		       state->set_is_safe(state->uuid_is_safe, object, state->unknown)))
		Py_CLEAR(object);
	Py_DECREF(number);
	return object;
}

static PyObject *text_of(const unsigned char uuid[UUID_BYTES])
{
	char digits[2 * UUID_BYTES], text[36];

	for (int i = 0; i < UUID_BYTES; i += HEX_BYTES)
		hex_digits(digits + 2 * i, uuid + i);
	memcpy(text, digits, 8);
	memcpy(text + 9, digits + 8, 4);
	memcpy(text + 14, digits + 12, 4);
	memcpy(text + 19, digits + 16, 4);
	memcpy(text + 24, digits + 20, 12);
	text[8] = text[13] = text[18] = text[23] = '-';
	PyObject *string = PyUnicode_DecodeASCII(text, sizeof(text), "strict");

	wipe(digits, sizeof(digits));
	wipe(text, sizeof(text));
	return string;
}

#define UUID_FUNCTION(name, make, of)                           \
	static PyObject *name(PyObject *module, PyObject *none) \
	{                                                       \
		unsigned char uuid[UUID_BYTES];                 \
                                                                \
		(void)module, (void)none;                       \
		PyObject *result = make(uuid) ? NULL : (of);    \
                                                                \
		wipe(uuid, sizeof(uuid));                       \
		return result;                                  \
	}
UUID_FUNCTION(uuid4, random_uuid4, object_of(PyModule_GetState(module), uuid))
UUID_FUNCTION(uuid7, random_uuid7, object_of(PyModule_GetState(module), uuid))
UUID_FUNCTION(uuid4_str, random_uuid4, text_of(uuid))
UUID_FUNCTION(uuid7_str, random_uuid7, text_of(uuid))
UUID_FUNCTION(uuid4_bytes, random_uuid4, bytes_of(uuid))
UUID_FUNCTION(uuid7_bytes, random_uuid7, bytes_of(uuid))

/* Returns the descriptor NAME of TYPE, and in *SET the function that sets it on instances. */
static PyObject *descriptor(PyObject *type, const char *name, descrsetfunc *set)
{
	PyObject *found = PyObject_GetAttrString(type, name);

	if (!found)
		return NULL;
	*set = (descrsetfunc)PyType_GetSlot(Py_TYPE(found), Py_tp_descr_set);
	if (!*set) {
		PyErr_Format(PyExc_TypeError, "%s of UUID cannot be set", name);
		Py_CLEAR(found);
	}
	return found;
}

static PyObject *use_uuid(PyObject *module, PyObject *args)
{
	struct dropins *state = PyModule_GetState(module);
	PyObject *type, *unknown;

	if (!PyArg_ParseTuple(args, "O!O:use_uuid", &PyType_Type, &type, &unknown))
		return NULL;
	PyObject *uuid_int = descriptor(type, "int", &state->set_int);
	PyObject *is_safe = uuid_int ? descriptor(type, "is_safe", &state->set_is_safe) : NULL;

	if (!is_safe) {
		Py_XDECREF(uuid_int);
		return NULL;
	}
	replace(&state->uuid_int, uuid_int);
	replace(&state->uuid_is_safe, is_safe);
	replace(&state->uuid, Py_NewRef(type));
	replace(&state->unknown, Py_NewRef(unknown));
	state->uuid_new = (newfunc)PyType_GetSlot(&PyBaseObject_Type, Py_tp_new);
	return Py_NewRef(Py_None);
}

/* Makes a UUID of given bytes as uuid4() does. vgetrandom.uuid compares it with the constructor's
 * when it is imported, in case a later Python changes UUID. */
static PyObject *uuid_of(PyObject *module, PyObject *arg)
{
	char *bytes;
	Py_ssize_t size;

	if (PyBytes_AsStringAndSize(arg, &bytes, &size))
		return NULL;
	if (size != UUID_BYTES) {
		PyErr_SetString(PyExc_ValueError, "a UUID has 16 bytes");
		return NULL;
	}
	return object_of(PyModule_GetState(module), (unsigned char *)bytes);
}

PyMethodDef uuid_functions[] = {
	{ "uuid4", uuid4, METH_NOARGS,
	  "uuid4($module, /)\n--\n\nReturn a random UUID (RFC 9562, version 4).\n\n"
	  "Returns:\n    uuid.UUID: 122 of its bits are random." },
	{ "uuid7", uuid7, METH_NOARGS,
	  "uuid7($module, /)\n--\n\n"
	  "Return a UUID that begins with the time (RFC 9562, version 7).\n"
	  "\n"
	  "48 bits of milliseconds since 1970 and 12 bits of their fraction (section 6.2,\n"
	  "method 3), in one word that strictly grows over all threads and interpreters of the\n"
	  "process: beyond 4 million a second, or after the clock was set back, it runs ahead of\n"
	  "the clock. The other 62 bits are random every time, so that a forked child shares\n"
	  "nothing with its parent but the time.\n"
	  "\n"
	  "Returns:\n    uuid.UUID: Greater than all that this process made before." },
	{ "uuid4_str", uuid4_str, METH_NOARGS,
	  "uuid4_str($module, /)\n--\n\nReturn str(uuid4()), without the object.\n\n"
	  "Returns:\n    str: 36 characters." },
	{ "uuid7_str", uuid7_str, METH_NOARGS,
	  "uuid7_str($module, /)\n--\n\nReturn str(uuid7()), without the object.\n\n"
	  "Returns:\n    str: 36 characters." },
	{ "uuid4_bytes", uuid4_bytes, METH_NOARGS, NULL },
	{ "uuid7_bytes", uuid7_bytes, METH_NOARGS, NULL },
	{ "uuid_of", uuid_of, METH_O, NULL },
	{ "use_uuid", use_uuid, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL },
};
