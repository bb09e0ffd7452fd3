/* SPDX-License-Identifier: MIT */
/* vgetrandom._arrays: whole arrays of numbers from bulk keystream, converted where they lie, and
 * the generator behind a NumPy bit generator. Knows buffers and one capsule, not NumPy.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vgetrandom.h>

#include "chunks.h"
#include "slots.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Keystream is converted while it is still in the cache; as much as the core computes under one
 * key. */
#define PIECE_BYTES ((size_t)64 << 10)

/* ---- words into numbers, where they lie ---- */

struct numbers {
	size_t width;  /* of one, in bytes */
	size_t word;   /* of the words that they are made of: as wide, or half */
	uint64_t low;  /* integers: the lowest, */
	uint64_t span; /* and how many there are; 0: all of that width */
	bool (*convert)(char *piece, size_t count, const struct numbers *numbers);
};

static bool convert_nothing(char *piece, size_t count, const struct numbers *numbers)
{
	(void)piece, (void)count, (void)numbers;
	return true;
}

/* Multiples of 2^-53 and 2^-24, as NumPy's. */
static double to_double(uint64_t word)
{
	return (double)(int64_t)(word >> 11) * 0x1p-53;
}

/* Several at once, without an instruction that converts 64-bit integers, which only AVX-512 has for
 * vectors: 21 and 32 bits become the ends of the mantissas of 2^84 and 2^52, which are then taken
 * off again. No step rounds. */
typedef uint64_t words_t __attribute__((vector_size(32)));
typedef double doubles_t __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) void words_to_doubles(char *piece, size_t count)
{
	const size_t lanes = sizeof(words_t) / sizeof(uint64_t);
	size_t i = 0;

	for (; i + lanes <= count; i += lanes) {
		words_t words;

		memcpy(&words, piece + i * sizeof(uint64_t), sizeof(words));
		words >>= 11;
		words_t high = (words >> 32) | 0x4530000000000000;
		words_t low = (words & 0xffffffff) | 0x4330000000000000;
		doubles_t numbers =
			(((doubles_t)high - (0x1p84 + 0x1p52)) + (doubles_t)low) * 0x1p-53;

		memcpy(piece + i * sizeof(uint64_t), &numbers, sizeof(numbers));
	}
	for (; i < count; i++) {
		uint64_t word;
		double number;

		memcpy(&word, piece + i * sizeof(word), sizeof(word));
		number = to_double(word);
		memcpy(piece + i * sizeof(number), &number, sizeof(number));
	}
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void words_to_doubles_avx2(char *piece, size_t count)
{
	words_to_doubles(piece, count);
}
#endif

static bool convert_to_doubles(char *piece, size_t count, const struct numbers *numbers)
{
	(void)numbers;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		words_to_doubles_avx2(piece, count);
		return true;
	}
#endif
	words_to_doubles(piece, count);
	return true;
}

static bool convert_to_floats(char *piece, size_t count, const struct numbers *numbers)
{
	(void)numbers;
	for (size_t i = 0; i < count; i++) {
		uint32_t word;
		float number;

		memcpy(&word, piece + i * sizeof(word), sizeof(word));
		number = (float)(int32_t)(word >> 8) * 0x1p-24f;
		memcpy(piece + i * sizeof(number), &number, sizeof(number));
	}
	return true;
}

static bool another_word(void *word, size_t size)
{
	return vgetrandom(word, size, 0) == (ssize_t)size;
}

/* Lemire's way (ACM TOMACS 29, 2019): the upper half of word times span, unless the lower half is
 * one of the 2^bits mod span that make some numbers likelier. Then another word is drawn.
 *
 * Half as wide as the numbers, the words lie in the second half of the piece: number i is written
 * over bytes that are read before number i + 1. */
#define CONVERT(name, bits, wide, number_type)                                                 \
	static bool name(char *piece, size_t count, const struct numbers *numbers)             \
	{                                                                                      \
		typedef uint##bits##_t word_type;                                              \
		const word_type span = (word_type)numbers->span;                               \
		const word_type unfair = (word_type)((word_type)(0 - span) % span);            \
		const char *words = piece + count * (sizeof(number_type) - sizeof(word_type)); \
                                                                                               \
		for (size_t i = 0; i < count; i++) {                                           \
			word_type word;                                                        \
                                                                                               \
			memcpy(&word, words + i * sizeof(word), sizeof(word));                 \
			wide product = (wide)((wide)word * span);                              \
                                                                                               \
			while (__builtin_expect((word_type)product < unfair, 0)) {             \
				if (!another_word(&word, sizeof(word)))                        \
					return false;                                          \
				product = (wide)((wide)word * span);                           \
			}                                                                      \
			number_type number = (number_type)(product >> (bits));                 \
                                                                                               \
			number = (number_type)(number + (number_type)numbers->low);            \
			memcpy(piece + i * sizeof(number), &number, sizeof(number));           \
		}                                                                              \
		return true;                                                                   \
	}
CONVERT(convert_8, 8, uint16_t, uint8_t)
CONVERT(convert_16, 16, uint32_t, uint16_t)
CONVERT(convert_32, 32, uint64_t, uint32_t)
CONVERT(convert_32_to_64, 32, uint64_t, uint64_t)
#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;
CONVERT(convert_64, 64, uint128, uint64_t)
#else
#error "no integers of 128 bits"
#endif

static const struct numbers doubles = { .width = 8, .word = 8, .convert = convert_to_doubles };
static const struct numbers floats = { .width = 4, .word = 4, .convert = convert_to_floats };

/* False for a width that there is not. */
static bool describe(struct numbers *numbers)
{
	size_t width = numbers->width;
	uint64_t span = numbers->span;

	numbers->word = width;
	if (span == 0)
		numbers->convert = convert_nothing;
	else if (width == 1)
		numbers->convert = convert_8;
	else if (width == 2)
		numbers->convert = convert_16;
	else if (width == 4)
		numbers->convert = convert_32;
	else if (width == 8 && span <= UINT32_MAX)
		numbers->convert = convert_32_to_64, numbers->word = 4;
	else if (width == 8)
		numbers->convert = convert_64;
	return width == 1 || width == 2 || width == 4 || width == 8;
}

/* ---- filling ---- */

static bool fill_numbers(char *at, size_t size, bool one_draw, const void *how)
{
	const struct numbers *numbers = how;
	size_t piece = one_draw ? size : PIECE_BYTES;

	while (size > 0) {
		size_t bytes = size < piece ? size : piece;
		size_t count = bytes / numbers->width;
		size_t words = count * numbers->word;

		if (vgetrandom(at + bytes - words, words, 0) != (ssize_t)words ||
		    !numbers->convert(at, count, numbers))
			return false;
		at += bytes;
		size -= bytes;
	}
	return true;
}

static PyObject *fill_buffer(PyObject *array, const struct numbers *numbers)
{
	Py_buffer view;

	if (PyObject_GetBuffer(array, &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS))
		return NULL;
	size_t size = (size_t)view.len / numbers->width * numbers->width;
	int failed = fill_in_chunks(view.buf, size, fill_numbers, numbers);

	PyBuffer_Release(&view);
	return failed ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(doubles_into_doc, "doubles_into($module, array, /)\n--\n\n"
			       "Fill an array with doubles from 0 to 1, 1 not included.");

static PyObject *doubles_into(PyObject *module, PyObject *array)
{
	(void)module;
	return fill_buffer(array, &doubles);
}

PyDoc_STRVAR(floats_into_doc, "floats_into($module, array, /)\n--\n\n"
			      "Fill an array with floats from 0 to 1, 1 not included.");

static PyObject *floats_into(PyObject *module, PyObject *array)
{
	(void)module;
	return fill_buffer(array, &floats);
}

PyDoc_STRVAR(integers_into_doc,
	     "integers_into($module, array, width, low, span, /)\n--\n\n"
	     "Fill an array with integers of so many bytes, each of low to low + span - 1\n"
	     "as likely as the others; a span of 0 stands for all that there are.");

static PyObject *integers_into(PyObject *module, PyObject *args)
{
	struct numbers integers = { 0 };
	unsigned long long low, span;
	Py_ssize_t width;
	PyObject *array;

	(void)module;
	if (!PyArg_ParseTuple(args, "OnKK", &array, &width, &low, &span))
		return NULL;
	integers.width = (size_t)width;
	integers.low = low;
	integers.span = span;
	if (!describe(&integers))
		return PyErr_Format(PyExc_ValueError, "no integers of %zd bytes", width);
	return fill_buffer(array, &integers);
}

PyDoc_STRVAR(one_double_doc, "double($module, /)\n--\n\n"
			     "Return a float from 0 to 1, 1 not included.");

static PyObject *one_double(PyObject *module, PyObject *unused)
{
	uint64_t word;

	(void)module, (void)unused;
	while (vgetrandom(&word, sizeof(word), 0) != sizeof(word))
		if (after_failed_draw())
			return NULL;
	return PyFloat_FromDouble(to_double(word));
}

/* ---- NumPy's bit generators ---- */

/* What NumPy's capsule holds, of every version since 1.17. Later ones may add members behind these,
 * so one of NumPy's own is filled in and none of ours handed out. */
struct bit_generator {
	void *state;
	uint64_t (*next_uint64)(struct vgetrandom_generator *);
	uint32_t (*next_uint32)(struct vgetrandom_generator *);
	double (*next_double)(struct vgetrandom_generator *);
	uint64_t (*next_raw)(struct vgetrandom_generator *);
};

#define CAPSULE "vgetrandom.generator"

static void free_generator(PyObject *capsule)
{
	vgetrandom_generator_free(PyCapsule_GetPointer(capsule, CAPSULE));
}

PyDoc_STRVAR(attach_doc,
	     "attach($module, capsule, /)\n--\n\n"
	     "Put a new generator behind the capsule of a numpy.random.BitGenerator.\n"
	     "\n"
	     "Returns:\n"
	     "    PyCapsule: What the generator lives as long as. Not a destructor that the\n"
	     "        garbage collector could call while others still draw.");

static PyObject *attach(PyObject *module, PyObject *capsule)
{
	struct bit_generator *numpys = PyCapsule_GetPointer(capsule, "BitGenerator");
	struct vgetrandom_generator *generator;
	PyObject *owner;

	(void)module;
	if (!numpys)
		return NULL;
	generator = vgetrandom_generator_new();
	owner = PyCapsule_New(generator, CAPSULE, free_generator);
	if (!owner) {
		vgetrandom_generator_free(generator);
		return NULL;
	}
	numpys->state = generator;
	numpys->next_uint64 = vgetrandom_generator_u64;
	numpys->next_uint32 = vgetrandom_generator_u32;
	numpys->next_double = vgetrandom_generator_double;
	numpys->next_raw = vgetrandom_generator_u64;
	return owner;
}

/* ---- the module ---- */

static PyMethodDef methods[] = {
	{ "attach", attach, METH_O, attach_doc },
	{ "double", one_double, METH_NOARGS, one_double_doc },
	{ "doubles_into", doubles_into, METH_O, doubles_into_doc },
	{ "floats_into", floats_into, METH_O, floats_into_doc },
	{ "integers_into", integers_into, METH_VARARGS, integers_into_doc },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "vgetrandom._arrays",
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit__arrays(void)
{
	module.m_slots = slots_for_this_python(NULL);
	return PyModuleDef_Init(&module);
}
