/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "c_peers.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <vgetrandom.h>

#include "vdso.h"

/* What the peers fill, and what OpenSSL encrypts. */
static unsigned char *buffer, *zeros;

static vdso_getrandom_fn *kernel_getrandom;
static struct vdso_params params;
static void *vdso_state;

static const char *find_vdso(void)
{
	kernel_getrandom = vdso_getrandom(&params);
	if (!kernel_getrandom)
		return "no vDSO getrandom was found in this process";
	vdso_state = mmap(NULL, params.size_of_opaque_state, (int)params.mmap_prot,
			  (int)params.mmap_flags, -1, 0);
	return vdso_state == MAP_FAILED ? "no memory for its state" : NULL;
}

/* Loaded at run time, so that the benchmark builds without OpenSSL's headers. */
static int (*encrypt_update)(void *context, unsigned char *out, int *out_len,
			     const unsigned char *in, int in_len);
static void *cipher;

static const char *find_openssl(void)
{
	static const char *const names[] = { "libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so" };
	void *(*new_context)(void);
	const void *(*chacha20)(void);
	int (*init)(void *context, const void *type, void *engine, const unsigned char *key,
		    const unsigned char *iv);
	unsigned char key[32], iv[16] = { 0 };
	void *library = NULL;

	for (size_t i = 0; i < LENGTH(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW);
	if (!library)
		return "no libcrypto here";
	*(void **)&new_context = dlsym(library, "EVP_CIPHER_CTX_new");
	*(void **)&chacha20 = dlsym(library, "EVP_chacha20");
	*(void **)&init = dlsym(library, "EVP_EncryptInit_ex");
	*(void **)&encrypt_update = dlsym(library, "EVP_EncryptUpdate");
	if (!new_context || !chacha20 || !init || !encrypt_update)
		return "this libcrypto has no ChaCha20";
	cipher = new_context();
	if (vgetrandom(key, sizeof(key), 0) != sizeof(key) || !cipher ||
	    init(cipher, chacha20(), NULL, key, iv) != 1)
		return "libcrypto refused ChaCha20";
	return NULL;
}

static bool openssl(size_t len)
{
	int written = 0;

	return encrypt_update(cipher, buffer, &written, zeros, (int)len) == 1 &&
	       (size_t)written == len;
}

static const char *always(void)
{
	return NULL;
}

/* A loop for each peer, so that none pays for a call through a pointer that its users would not
 * make. Each returns whether all calls have filled the buffer. */
#define LOOP(name, whole)                               \
	static bool name##_loop(size_t len, long calls) \
	{                                               \
		bool good = true;                       \
                                                        \
		for (long i = 0; i < calls; i++)        \
			good &= (whole);                \
		return good;                            \
	}

LOOP(ours, vgetrandom(buffer, len, 0) == (ssize_t)len)
LOOP(vdso,
     kernel_getrandom(buffer, len, 0, vdso_state, params.size_of_opaque_state) == (ssize_t)len)
LOOP(libc, getrandom(buffer, len, 0) == (ssize_t)len)
LOOP(openssl, openssl(len))

const struct peer peers[PEERS] = {
	{ "vgetrandom()", always, ours_loop },
	[BASELINE] = { "kernel vDSO", find_vdso, vdso_loop },
	{ "getrandom()", always, libc_loop },
	{ "OpenSSL ChaCha20", find_openssl, openssl_loop },
};

bool peers_allocate(void)
{
	buffer = malloc(MAX_SIZE);
	zeros = calloc(1, MAX_SIZE);
	return buffer && zeros;
}
