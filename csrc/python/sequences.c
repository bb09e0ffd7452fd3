/* SPDX-License-Identifier: MIT */
/* SystemRandom's methods that choose from sequences. */
#include "random.h"
#include "words.h"

/* Whether taking an item runs no code of the user's, which might change the sequence. */
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

/* len(), or 0 if it fails: the standard library then raises the right exception. */
static Py_ssize_t size_or_zero(PyObject *sequence)
{
	Py_ssize_t size = PyObject_Size(sequence);

	if (size < 0) {
		PyErr_Clear();
		return 0;
	}
	return size;
}

PyObject *method_choice(PyObject *self, PyTypeObject *defining, PyObject *const *args,
			Py_ssize_t nargs, PyObject *kwnames)
{
	Py_ssize_t size;

	if (!if_exact(self, defining) || nargs != 1 || kwnames || !plain_sequence(args[0]) ||
	    (size = size_or_zero(args[0])) == 0)
		return STANDARD(CHOICE);
	return any_item(args[0], size);
}

/* The k of choices(population, k=k) and of choices(population); -1 for any other arguments. */
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

PyObject *method_choices(PyObject *self, PyTypeObject *defining, PyObject *const *args,
			 Py_ssize_t nargs, PyObject *kwnames)
{
	Py_ssize_t k, size;

	if (!if_exact(self, defining) || (k = only_k(args, nargs, kwnames)) < 0 ||
	    !plain_sequence(args[0]) || (size = size_or_zero(args[0])) == 0)
		return STANDARD(CHOICES);
	PyObject *chosen = PyList_New(k);

	for (Py_ssize_t i = 0; chosen && i < k; i++) {
		PyObject *item = any_item(args[0], size);

		/* Millions of choices must be interruptible, as in the standard library. */
		if (!item || PyList_SetItem(chosen, i, item) ||
		    (i % 65536 == 65535 && PyErr_CheckSignals()))
			Py_CLEAR(chosen);
	}
	return chosen;
}

/* Exchanges two items of a list; -1 with an exception set if the list has become too short. */
static int exchange(PyObject *list, Py_ssize_t i, Py_ssize_t j)
{
	PyObject *a = PyList_GetItem(list, i), *b = PyList_GetItem(list, j);

	if (!a || !b)
		return -1;
	Py_INCREF(a);
	Py_INCREF(b);
	/* Both must be called, even if the first fails: each takes over a reference. */
	int failed = PyList_SetItem(list, i, b);

	return PyList_SetItem(list, j, a) || failed ? -1 : 0;
}

PyObject *method_shuffle(PyObject *self, PyTypeObject *defining, PyObject *const *args,
			 Py_ssize_t nargs, PyObject *kwnames)
{
	uint64_t j;

	/* Other types exchange items by code of their own. */
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

/* For populations of up to POOL_SIZE there is a pool of indices on the stack. From larger ones up
 * to FEW_ITEMS are chosen, by comparing each with those before. All else is left to the standard
 * library.
 */
#define POOL_SIZE 512
#define FEW_ITEMS 32

/* K different indices below SIZE <= POOL_SIZE in random order, by the first steps of a shuffle. */
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

PyObject *method_sample(PyObject *self, PyTypeObject *defining, PyObject *const *args,
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
