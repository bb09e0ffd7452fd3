/* SPDX-License-Identifier: MIT */
/* The native functions of vgetrandom.secrets. As in random.c, unusual arguments go to the standard
 * library. */
#include "dropins.h"
#include "hex.h"
#include "words.h"

/* Larger tokens are left to the standard library, these are made on the stack. */
#define MOST_BYTES 256
#define DEFAULT_BYTES 32 /* secrets.DEFAULT_ENTROPY */

static PyObject *standard(enum function function, PyObject *module, PyObject *const *args,
			  Py_ssize_t nargs, PyObject *kwnames)
{
	struct dropins *state = PyModule_GetState(module);

	return call_standard(state->functions[function], NULL, args, nargs, kwnames);
}
#define STANDARD(function) standard(function, module, args, nargs, kwnames)

static PyObject *randbelow(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
			   PyObject *kwnames)
{
	uint64_t result;
	int64_t bound;

	if (nargs != 1 || kwnames || !exact_int(args[0], &bound) || bound <= 0)
		return STANDARD(SECRETS_RANDBELOW);
	if (below((uint64_t)bound, &result))
		return NULL;
	return PyLong_FromUnsignedLongLong(result);
}

static PyObject *randbits(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
			  PyObject *kwnames)
{
	int64_t count;

	if (nargs != 1 || kwnames || !exact_int(args[0], &count) || count <= 0 ||
	    count > PY_SSIZE_T_MAX)
		return STANDARD(SECRETS_RANDBITS);
	return random_bits(PyModule_GetState(module), (Py_ssize_t)count);
}

/* The size of a token in bytes; -1 if it is left to the standard library. */
static Py_ssize_t token_size(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	int64_t size;

	if (kwnames || nargs > 1)
		return -1;
	if (nargs == 0 || Py_IsNone(args[0]))
		return DEFAULT_BYTES;
	return exact_int(args[0], &size) && size >= 0 && size <= MOST_BYTES ? (Py_ssize_t)size : -1;
}

static PyObject *token_bytes(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
			     PyObject *kwnames)
{
	Py_ssize_t size = token_size(args, nargs, kwnames);

	if (size < 0)
		return STANDARD(SECRETS_TOKEN_BYTES);
	return random_bytes_object(PyModule_GetState(module), size);
}

static PyObject *token_hex(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
			   PyObject *kwnames)
{
	Py_ssize_t size = token_size(args, nargs, kwnames);
	unsigned char bytes[MOST_BYTES];
	char text[2 * MOST_BYTES];

	if (size < 0)
		return STANDARD(SECRETS_TOKEN_HEX);
	if (draw(bytes, (size_t)size))
		return NULL;
	/* The last step may convert bytes beyond SIZE, into digits that are not used. */
	memset(bytes + size, 0, (size_t)(-size & (HEX_BYTES - 1)));
	for (Py_ssize_t i = 0; i < size; i += HEX_BYTES)
		hex_digits(text + 2 * i, bytes + i);
	PyObject *token = PyUnicode_DecodeASCII(text, 2 * size, "strict");

	wipe(bytes, (size_t)size);
	wipe(text, 2 * (size_t)size);
	return token;
}

static PyObject *token_urlsafe(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
			       PyObject *kwnames)
{
	/* RFC 4648, section 5, without padding. In one cache line, so that the cache does not tell
	 * which digit was read. */
	static const _Alignas(64) char digits[64] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	Py_ssize_t size = token_size(args, nargs, kwnames);
	unsigned char bytes[MOST_BYTES + 2] = { 0 };
	char text[(MOST_BYTES + 2) / 3 * 4], *end = text;

	if (size < 0)
		return STANDARD(SECRETS_TOKEN_URLSAFE);
	if (draw(bytes, (size_t)size))
		return NULL;
	for (Py_ssize_t i = 0; i < size; i += 3) {
		uint32_t bits =
			(uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

		*end++ = digits[bits >> 18];
		*end++ = digits[bits >> 12 & 63];
		*end++ = digits[bits >> 6 & 63];
		*end++ = digits[bits & 63];
	}
	PyObject *token = PyUnicode_DecodeASCII(text, (size * 8 + 5) / 6, "strict");

	wipe(bytes, sizeof(bytes));
	wipe(text, sizeof(text));
	return token;
}

/* ---- strings over an alphabet ---- */

/* Strings of up to so many characters are made on the stack, longer ones on the heap. Both are
 * wiped. */
#define MOST_CHARACTERS 256

static int choose(Py_UCS4 *to, Py_ssize_t length, const Py_UCS4 *alphabet, Py_ssize_t letters)
{
	uint64_t index;

	for (Py_ssize_t i = 0; i < length; i++) {
		if (below((uint64_t)letters, &index))
			return -1;
		to[i] = alphabet[index];
		if (i % 65536 == 65535 && PyErr_CheckSignals())
			return -1;
	}
	return 0;
}

static PyObject *string_from(PyObject *alphabet, Py_ssize_t length)
{
	Py_UCS4 on_stack[MOST_CHARACTERS], *characters = on_stack, letters_on_stack[256];
	Py_UCS4 *letters = letters_on_stack;
	Py_ssize_t count = PyUnicode_GetLength(alphabet);
	PyObject *string = NULL;
	int byte_order = PY_BIG_ENDIAN ? 1 : -1;

	if (count + 1 > (Py_ssize_t)(sizeof(letters_on_stack) / sizeof(*letters))) {
		letters = PyUnicode_AsUCS4Copy(alphabet);
		if (!letters)
			return NULL;
	} else if (!PyUnicode_AsUCS4(alphabet, letters, count + 1, 1)) {
		return NULL;
	}
	if (length > MOST_CHARACTERS) {
		characters = length > PY_SSIZE_T_MAX / 4 ? NULL : PyMem_Malloc((size_t)length * 4);
		if (!characters) {
			PyErr_NoMemory();
			goto done;
		}
	}
	if (choose(characters, length, letters, count) == 0)
		/* Lone surrogates are allowed in the alphabet, as in "".join(). */
		string = PyUnicode_DecodeUTF32((const char *)characters, length * 4,
					       "surrogatepass", &byte_order);
	wipe(characters, (size_t)length * 4);
	if (characters != on_stack)
		PyMem_Free(characters);
done:
	if (letters != letters_on_stack)
		PyMem_Free(letters);
	return string;
}

static PyObject *token_string(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *names[] = { "alphabet", "length", NULL };
	PyObject *alphabet;
	Py_ssize_t length;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Un:token_string", names, &alphabet,
					 &length))
		return NULL;
	if (PyUnicode_GetLength(alphabet) == 0) {
		PyErr_SetString(PyExc_ValueError, "the alphabet is empty");
		return NULL;
	}
	if (length < 0) {
		PyErr_SetString(PyExc_ValueError, "length must be non-negative");
		return NULL;
	}
	return string_from(alphabet, length);
}

#define FUNCTION(name, function, signature, text)                                       \
	{ name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, \
	  name "($module, " signature ")\n--\n\n" text }

PyMethodDef secrets_functions[] = {
	FUNCTION("randbelow", randbelow, "exclusive_upper_bound",
		 "Return a random int in the range [0, exclusive_upper_bound).\n\n"
		 "Raises:\n    ValueError: The bound is not positive."),
	FUNCTION("randbits", randbits, "k",
		 "Return an int of k random bits.\n\n"
		 "Raises:\n    ValueError: k is negative."),
	FUNCTION("token_bytes", token_bytes, "nbytes=None",
		 "Return nbytes random bytes, 32 if it is None."),
	FUNCTION("token_hex", token_hex, "nbytes=None",
		 "Return nbytes random bytes, 32 if it is None, in hexadecimal."),
	FUNCTION("token_urlsafe", token_urlsafe, "nbytes=None",
		 "Return nbytes random bytes, 32 if it is None, in URL-safe Base64 (RFC 4648)\n"
		 "without padding."),
	{ "token_string", (PyCFunction)(void (*)(void))token_string, METH_VARARGS | METH_KEYWORDS,
	  "token_string($module, alphabet, length)\n--\n\n"
	  "Return a string of characters that are chosen independently from an alphabet.\n"
	  "\n"
	  "Args:\n"
	  "    alphabet (str): The characters; one that stands there twice is twice as likely.\n"
	  "    length (int): How many to choose.\n"
	  "\n"
	  "Returns:\n"
	  "    str: length characters.\n"
	  "\n"
	  "Raises:\n"
	  "    ValueError: The alphabet is empty, or length is negative.\n"
	  "    TypeError: The alphabet is no str, or length is no integer." },
	{ NULL, NULL, 0, NULL },
};
