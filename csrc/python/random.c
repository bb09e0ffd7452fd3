/* SPDX-License-Identifier: MIT */
/* The native methods of vgetrandom.SystemRandom.
 *
 * They stand in a base class of it, which comes before random.SystemRandom in the order of
 * inheritance. What is common and fast is done here; everything else (other types, keywords, wrong
 * arguments) goes to the method of the same name in the standard library, so that its behaviour and
 * its errors are those of the interpreter at hand. Methods that the standard library builds from
 * random(), getrandbits() or _randbelow() go there for every subclass too, which may have
 * overridden them.
 */
#include "dropins.h"
#include "words.h"

/* State of the module for a method of exactly vgetrandom.SystemRandom, NULL for others. */
static inline struct dropins *if_exact(PyObject *self, PyTypeObject *defining)
{
	struct dropins *state = PyType_GetModuleState(defining);

	return (PyObject *)Py_TYPE(self) == state->exact ? state : NULL;
}

static PyObject *standard(enum method method, PyTypeObject *defining, PyObject *self,
			  PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	struct dropins *state = PyType_GetModuleState(defining);

	return call_standard(state->methods[method], self, args, nargs, kwnames);
}
#define STANDARD(method) standard(method, defining, self, args, nargs, kwnames)

bool exact_int(PyObject *object, int64_t *value)
{
	int overflow;

	if (!PyLong_CheckExact(object))
		return false;
	*value = PyLong_AsLongLongAndOverflow(object, &overflow);
	return !overflow;
}

/* ---- what everything is made of ---- */

/* From here on random_bytes() sees to interruptions and the GIL. */
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

static PyObject *method_random(PyObject *self, PyObject *none)
{
	(void)self, (void)none;
	double value;

	return unit_double(&value) ? NULL : PyFloat_FromDouble(value);
}

/* int.from_bytes() is the quickest way into a long int that the stable ABI has. */
PyObject *int_from(struct dropins *state, PyObject *bytes)
{
	PyObject *result = PyObject_CallFunctionObjArgs(state->from_bytes, bytes, NULL);

	/* The object's memory goes back to the heap as it is. */
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

/* For bounds beyond 64 bits: numbers of the bound's length until one is below it. */
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

/* From FIRST on, COUNT numbers are possible. */
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

/* A float, or an int that a double holds exactly, so that the arithmetic below is Python's. */
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

/* ---- sequences ---- */

/* Whether no code of the user's runs when an item is taken. */
static bool plain_sequence(PyObject *object)
{
	return PyList_CheckExact(object) || PyTuple_CheckExact(object) ||
	       PyUnicode_CheckExact(object) || PyBytes_CheckExact(object) ||
	       Py_TYPE(object) == &PyRange_Type;
}

static PyObject *any_item(PyObject *sequence, Py_ssize_t size)
{
	uint64_t index;

	if (below((uint64_t)size, &index))
		return NULL;
	return PySequence_GetItem(sequence, (Py_ssize_t)index);
}

/* len(), or 0 where the standard library shall say what is wrong. */
static Py_ssize_t size_or_zero(PyObject *sequence)
{
	Py_ssize_t size = PyObject_Size(sequence);

	if (size < 0) {
		PyErr_Clear();
		return 0;
	}
	return size;
}

static PyObject *method_choice(PyObject *self, PyTypeObject *defining, PyObject *const *args,
			       Py_ssize_t nargs, PyObject *kwnames)
{
	Py_ssize_t size;

	if (!if_exact(self, defining) || nargs != 1 || kwnames || !plain_sequence(args[0]) ||
	    (size = size_or_zero(args[0])) == 0)
		return STANDARD(CHOICE);
	return any_item(args[0], size);
}

/* The K of choices(population, k=K) and of choices(population); -1 for other arguments. */
static Py_ssize_t only_k(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	int64_t k;

	if (nargs != 1)
		return -1;
	if (!kwnames)
		return 1;
	if (PyTuple_Size(kwnames) != 1 ||
	    PyUnicode_CompareWithASCIIString(PyTuple_GetItem(kwnames, 0), "k") != 0 ||
	    !exact_int(args[1], &k) || k < 0 || k > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(void *))
		return -1;
	return (Py_ssize_t)k;
}

static PyObject *method_choices(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				Py_ssize_t nargs, PyObject *kwnames)
{
	Py_ssize_t k, size;

	if (!if_exact(self, defining) || (k = only_k(args, nargs, kwnames)) < 0 ||
	    !plain_sequence(args[0]) || (size = size_or_zero(args[0])) == 0)
		return STANDARD(CHOICES);
	PyObject *chosen = PyList_New(k);

	for (Py_ssize_t i = 0; chosen && i < k; i++) {
		PyObject *item = any_item(args[0], size);

		/* Millions of choices can be interrupted, as in the standard library. */
		if (!item || PyList_SetItem(chosen, i, item) ||
		    (i % 65536 == 65535 && PyErr_CheckSignals()))
			Py_CLEAR(chosen);
	}
	return chosen;
}

/* Exchanges two items of a list; -1 with an exception set where the list has become shorter. */
static int exchange(PyObject *list, Py_ssize_t i, Py_ssize_t j)
{
	PyObject *a = PyList_GetItem(list, i), *b = PyList_GetItem(list, j);

	if (!a || !b)
		return -1;
	Py_INCREF(a);
	Py_INCREF(b);
	/* Both are called: each gives up the reference that it is handed, even where it fails. */
	int failed = PyList_SetItem(list, i, b);

	return PyList_SetItem(list, j, a) || failed ? -1 : 0;
}

static PyObject *method_shuffle(PyObject *self, PyTypeObject *defining, PyObject *const *args,
				Py_ssize_t nargs, PyObject *kwnames)
{
	uint64_t j;

	/* Another type's items are exchanged by code of its own. */
	if (!if_exact(self, defining) || nargs != 1 || kwnames || !PyList_CheckExact(args[0]))
		return STANDARD(SHUFFLE);
	for (Py_ssize_t i = PyList_Size(args[0]) - 1; i > 0; i--) {
		if (below((uint64_t)i + 1, &j) || exchange(args[0], i, (Py_ssize_t)j))
			return NULL;
		if (i % 65536 == 0 && PyErr_CheckSignals())
			return NULL;
	}
	return Py_NewRef(Py_None);
}

/* Populations of up to POOL_SIZE have a pool of indices on the stack; of larger ones up to
 * FEW_ITEMS are chosen by comparing with those that were chosen before. */
#define POOL_SIZE 512
#define FEW_ITEMS 32

/* K different indices below SIZE <= POOL_SIZE, in random order: the first steps of a shuffle. */
static int sample_pool(uint32_t *chosen, Py_ssize_t k, Py_ssize_t size)
{
	uint16_t pool[POOL_SIZE];
	uint64_t j;

	for (Py_ssize_t i = 0; i < size; i++)
		pool[i] = (uint16_t)i;
	for (Py_ssize_t i = 0; i < k; i++) {
		if (below((uint64_t)(size - i), &j))
			return -1;
		chosen[i] = pool[j];
		pool[j] = pool[size - i - 1];
	}
	wipe(pool, (size_t)size * sizeof(*pool));
	return 0;
}

static int sample_few(uint32_t *chosen, Py_ssize_t k, Py_ssize_t size)
{
	for (Py_ssize_t i = 0; i < k;) {
		uint64_t j;
		Py_ssize_t before = 0;

		if (below((uint64_t)size, &j))
			return -1;
		chosen[i] = (uint32_t)j;
		while (chosen[before] != chosen[i])
			before++;
		i += before == i;
	}
	return 0;
}

static PyObject *method_sample(PyObject *self, PyTypeObject *defining, PyObject *const *args,
			       Py_ssize_t nargs, PyObject *kwnames)
{
	uint32_t chosen[POOL_SIZE];
	Py_ssize_t size;
	int64_t k;

	if (!if_exact(self, defining) || nargs != 2 || kwnames || !plain_sequence(args[0]) ||
	    !exact_int(args[1], &k) || (size = size_or_zero(args[0])) == 0 || k < 0 || k > size ||
	    size > UINT32_MAX || (size > POOL_SIZE && k > FEW_ITEMS))
		return STANDARD(SAMPLE);
	if (size > POOL_SIZE ? sample_few(chosen, (Py_ssize_t)k, size)
			     : sample_pool(chosen, (Py_ssize_t)k, size))
		return NULL;
	PyObject *sampled = PyList_New((Py_ssize_t)k);

	for (Py_ssize_t i = 0; sampled && i < k; i++) {
		PyObject *item = PySequence_GetItem(args[0], (Py_ssize_t)chosen[i]);

		if (!item || PyList_SetItem(sampled, i, item))
			Py_CLEAR(sampled);
	}
	wipe(chosen, (size_t)k * sizeof(*chosen));
	return sampled;
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
