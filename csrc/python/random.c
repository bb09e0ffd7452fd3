/* SPDX-License-Identifier: MIT */
/* The native methods of vgetrandom.SystemRandom.
 *
 * They are in a base class that comes before random.SystemRandom in the method resolution order.
 * They do what is common and fast. Everything else (other types, keywords, wrong arguments) they
 * leave to the standard library's method of the same name, so that behaviour and errors are those
 * of the interpreter at hand. So do those that the standard library builds from random(),
 * getrandbits() or _randbelow(), for all subclasses, which may have overridden these.
 */
#include "random.h"
#include "words.h"

/* ---- bits and bytes ---- */

static PyObject *method_random(PyObject *self, PyObject *none)
{
	(void)self, (void)none;
	double value;

	return unit_double(&value) ? NULL : PyFloat_FromDouble(value);
}

static PyObject *method_getrandbits(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				    Py_ssize_t nargs, PyObject *kwnames)
{
	int64_t count;

	if (nargs != 1 || kwnames || !exact_int(args[0], &count) || count <= 0 ||
	    count > PY_SSIZE_T_MAX)
		return STANDARD(GETRANDBITS);
	return random_bits(PyType_GetModuleState(defining), (Py_ssize_t)count);
}

static PyObject *method_randbytes(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				  Py_ssize_t nargs, PyObject *kwnames)
{
	struct dropins *state = PyType_GetModuleState(defining);
	int64_t size;

	(void)self;
	if (nargs != 1 || kwnames || !exact_int(args[0], &size) || size < 0 ||
	    size > PY_SSIZE_T_MAX)
		return STANDARD(RANDBYTES);
	return random_bytes_object(state, (Py_ssize_t)size);
}

/* For bounds that do not fit into int64_t: draws numbers as long as the bound until one is below
 * it. */
static PyObject *below_long(struct dropins *state, PyObject *bound)
{
	PyObject *length = PyObject_CallMethod(bound, "bit_length", NULL), *result;
	Py_ssize_t count = length ? PyLong_AsSsize_t(length) : -1;

	Py_XDECREF(length);
	if (count <= 0)
		return NULL;
	for (;;) {
		result = random_bits(state, count);
		int less = result ? PyObject_RichCompareBool(result, bound, Py_LT) : -1;

		if (less > 0)
			return result;
		Py_XDECREF(result);
		if (less < 0)
			return NULL;
	}
}

static PyObject *method_randbelow(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				  Py_ssize_t nargs, PyObject *kwnames)
{
	int overflow;
	uint64_t result;

	if (nargs != 1 || kwnames || !PyLong_CheckExact(args[0]))
		return STANDARD(RANDBELOW);
	int64_t bound = PyLong_AsLongLongAndOverflow(args[0], &overflow);

	if (overflow > 0)
		return below_long(PyType_GetModuleState(defining), args[0]);
	if (bound <= 0)
		return STANDARD(RANDBELOW);
	if (below((uint64_t)bound, &result))
		return NULL;
	return PyLong_FromUnsignedLongLong(result);
}

/* ---- numbers ---- */

/* One of the COUNT numbers from FIRST on. */
static PyObject *from_range(int64_t first, uint64_t count)
{
	uint64_t offset;

	if (below(count, &offset))
		return NULL;
	return PyLong_FromLongLong((int64_t)((uint64_t)first + offset));
}

static PyObject *method_randrange(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				  Py_ssize_t nargs, PyObject *kwnames)
{
	int64_t start = 0, stop;

	if (!if_exact(self, defining) || nargs < 1 || nargs > 2 || kwnames ||
	    (nargs == 2 && !exact_int(args[0], &start)) || !exact_int(args[nargs - 1], &stop) ||
	    start >= stop)
		return STANDARD(RANDRANGE);
	return from_range(start, (uint64_t)stop - (uint64_t)start);
}

static PyObject *method_randint(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				Py_ssize_t nargs, PyObject *kwnames)
{
	int64_t first, last;

	if (!if_exact(self, defining) || nargs != 2 || kwnames || !exact_int(args[0], &first) ||
	    !exact_int(args[1], &last) || first > last ||
	    (uint64_t)last - (uint64_t)first == UINT64_MAX)
		return STANDARD(RANDINT);
	return from_range(first, (uint64_t)last - (uint64_t)first + 1);
}

/* Stores a float, or an int that a double represents exactly, so that computing with it gives what
 * Python gives. */
static bool exact_double(PyObject *object, double *value)
{
	const int64_t most = INT64_C(1) << 52;
	int64_t integer;

	if (PyFloat_CheckExact(object)) {
		*value = PyFloat_AsDouble(object);
		return true;
	}
	if (!exact_int(object, &integer) || integer < -most || integer > most)
		return false;
	*value = (double)integer;
	return true;
}

static PyObject *method_uniform(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				Py_ssize_t nargs, PyObject *kwnames)
{
	double first, last, value;

	if (!if_exact(self, defining) || nargs != 2 || kwnames || !exact_double(args[0], &first) ||
	    !exact_double(args[1], &last))
		return STANDARD(UNIFORM);
	if (unit_double(&value))
		return NULL;
	return PyFloat_FromDouble(first + (last - first) * value);
}

/* ---- the base class ---- */

#define METHOD(name, function, signature)                \
	{ name, (PyCFunction)(void (*)(void))(function), \
	  METH_METHOD | METH_FASTCALL | METH_KEYWORDS,   \
	  name "($self, " signature ")\n--\n\n"          \
	       "As random.SystemRandom." name "(), from vgetrandom's generator." }

static PyMethodDef random_methods[] = {
	{ "random", method_random, METH_NOARGS,
	  "random($self, /)\n--\n\nReturn a float in [0.0, 1.0), a multiple of 2**-53." },
	METHOD("getrandbits", method_getrandbits, "k"),
	METHOD("randbytes", method_randbytes, "n"),
	METHOD("_randbelow", method_randbelow, "n"),
	METHOD("randrange", method_randrange, "start, stop=None, step=1"),
	METHOD("randint", method_randint, "a, b"),
	METHOD("uniform", method_uniform, "a, b"),
	METHOD("choice", method_choice, "seq"),
	METHOD("choices", method_choices, "population, weights=None, *, cum_weights=None, k=1"),
	METHOD("shuffle", method_shuffle, "x"),
	METHOD("sample", method_sample, "population, k, *, counts=None"),
	{ NULL, NULL, 0, NULL },
};

static PyType_Slot random_methods_slots[] = {
	{ Py_tp_methods, random_methods },
	{ Py_tp_doc, "Methods that vgetrandom.SystemRandom has before the standard library's." },
	{ 0, NULL },
};

PyType_Spec random_methods_spec = {
	.name = "vgetrandom._dropins.RandomMethods",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = random_methods_slots,
};
