/* SPDX-License-Identifier: MIT */
/* Random bits as Python objects: bytes and ints. */
#include "dropins.h"
#include "words.h"

bool exact_int(PyObject *object, int64_t *value)
{
	int overflow;

	if (!PyLong_CheckExact(object))
		return false;
	*value = PyLong_AsLongLongAndOverflow(object, &overflow);
	return !overflow;
}

/* More bytes are left to random_bytes(), which releases the GIL and handles signals. */
#define MANY_BYTES 256

PyObject *random_bytes_object(struct dropins *state, Py_ssize_t size)
{
	if (size > MANY_BYTES)
		return PyObject_CallFunction(state->random_bytes, "n", size);
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);

	if (bytes && draw(PyBytes_AsString(bytes), (size_t)size))
		Py_CLEAR(bytes);
	return bytes;
}

/* int.from_bytes() is the fastest way to make a long int in the stable ABI. */
PyObject *int_from(struct dropins *state, PyObject *bytes)
{
	PyObject *result = PyObject_CallFunctionObjArgs(state->from_bytes, bytes, NULL);

	/* Freeing the object would leave the bytes on the heap. */
	wipe(PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
	Py_DECREF(bytes);
	return result;
}

static PyObject *many_bits(struct dropins *state, Py_ssize_t count)
{
	Py_ssize_t size = count / 8 + (count % 8 != 0);
	PyObject *bytes = random_bytes_object(state, size);

	if (!bytes)
		return NULL;
	char *first = PyBytes_AsString(bytes);

	if (count % 8)
		first[0] = (char)((unsigned char)first[0] & (0xff >> (8 - count % 8)));
	return int_from(state, bytes);
}

PyObject *random_bits(struct dropins *state, Py_ssize_t count)
{
	uint64_t word;

	if (count > 64)
		return many_bits(state, count);
	if (draw(&word, sizeof(word)))
		return NULL;
	return PyLong_FromUnsignedLongLong(word >> (64 - count));
}
