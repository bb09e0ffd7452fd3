/* SPDX-License-Identifier: MIT */
/* A generator of the core's behind a NumPy bit generator. */
#include "bit_generator.h"

#include <vgetrandom.h>

#include <stdint.h>

/* What NumPy's capsule points to, in every version since 1.17. A later one may add members at the
 * end, so the members of NumPy's own struct are set, instead of handing out one of ours. */
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

const char attach_doc[] =
	"attach($module, capsule, /)\n--\n\n"
	"Put a new generator behind the capsule of a numpy.random.BitGenerator.\n"
	"\n"
	"Returns:\n"
	"    PyCapsule: What the generator lives as long as. Not a destructor that the\n"
	"        garbage collector could call while others still draw.";

PyObject *attach(PyObject *module, PyObject *capsule)
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
