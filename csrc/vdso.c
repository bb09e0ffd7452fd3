/* SPDX-License-Identifier: MIT */
#include "vdso.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#if defined(__aarch64__) || defined(__s390__) || defined(__powerpc__)
#define VDSO_GETRANDOM "__kernel_getrandom"
#else
#define VDSO_GETRANDOM "__vdso_getrandom"
#endif

/* A word of DT_HASH: 64 bits in two ABIs, 32 in all others. */
#if defined(__s390x__) || defined(__alpha__)
typedef uint64_t hash_word;
#else
typedef uint32_t hash_word;
#endif

/* What the dynamic section of an ELF image says of its symbols. */
struct symbols {
	const ElfW(Sym) * table;
	const char *names;
	size_t count;
	uintptr_t bias; /* to be added to addresses in the file */
};

/* DT_GNU_HASH does not contain the number of symbols. The last symbol is at the end of the chain
 * that starts furthest back. */
static size_t count_gnu_hash(const uint32_t *hash)
{
	uint32_t buckets = hash[0], first = hash[1], bloom_words = hash[2], last = 0;
	const uint32_t *bucket = hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(*hash));
	const uint32_t *chain = bucket + buckets;

	for (uint32_t i = 0; i < buckets; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

static bool find_symbols(uintptr_t base, struct symbols *symbols)
{
	const ElfW(Ehdr) *elf = (const void *)base;
	const ElfW(Phdr) *segment = (const void *)(base + elf->e_phoff);
	const ElfW(Dyn) *dynamic = NULL;

	*symbols = (struct symbols){ .bias = base };
	for (int i = 0; i < elf->e_phnum; i++) {
		if (segment[i].p_type == PT_LOAD && segment[i].p_offset == 0)
			symbols->bias = base - segment[i].p_vaddr;
		else if (segment[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(base + segment[i].p_offset);
	}
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const void *value = (const void *)(symbols->bias + dynamic->d_un.d_ptr);

		switch (dynamic->d_tag) {
		case DT_SYMTAB:
			symbols->table = value;
			break;
		case DT_STRTAB:
			symbols->names = value;
			break;
		case DT_HASH:
			symbols->count = ((const hash_word *)value)[1];
			break;
		case DT_GNU_HASH:
			if (!symbols->count)
				symbols->count = count_gnu_hash(value);
			break;
		default:
			break;
		}
	}
	return symbols->table && symbols->names;
}

uintptr_t vdso_function_of(uintptr_t base, const char *name)
{
	struct symbols symbols;

	if (!base || !find_symbols(base, &symbols))
		return 0;
	for (size_t i = 0; i < symbols.count; i++) {
		const ElfW(Sym) *symbol = &symbols.table[i];

		if (symbol->st_shndx != SHN_UNDEF && !strcmp(symbols.names + symbol->st_name, name))
			return symbols.bias + symbol->st_value;
	}
	return 0;
}

/* In the ELFv1 ABI of 64-bit PowerPC a function pointer is the address of a descriptor, and the
 * vDSO has none. */
#if defined(__powerpc64__) && (!defined(_CALL_ELF) || _CALL_ELF < 2)
#define SYMBOLS_ARE_FUNCTIONS 0
#else
#define SYMBOLS_ARE_FUNCTIONS 1
#endif

uintptr_t vdso_function(const char *name)
{
	return SYMBOLS_ARE_FUNCTIONS ? vdso_function_of(getauxval(AT_SYSINFO_EHDR), name) : 0;
}

vdso_getrandom_fn *vdso_getrandom(struct vdso_params *params)
{
	vdso_getrandom_fn *getrandom = (vdso_getrandom_fn *)vdso_function(VDSO_GETRANDOM);

	*params = (struct vdso_params){ 0 };
	if (!getrandom || getrandom(NULL, 0, 0, params, ~0UL) != 0)
		return NULL;
	return getrandom;
}
