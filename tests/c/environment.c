/* SPDX-License-Identifier: MIT */
/* Draws while the environment cannot be read, and prints what is in use.
 *
 *     environment early|late|cleared
 *
 * early: the first draw comes from .preinit_array, before any constructor has run, or from the
 * first constructor. late: from main(). cleared: the library is loaded after clearenv(), from the
 * path in argv[2].
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vgetrandom.h>

static unsigned char drawn[16];

static void draw(void)
{
	if (vgetrandom(drawn, sizeof(drawn), 0) != sizeof(drawn))
		_exit(1);
}

#ifdef __GLIBC__
static void before_constructors(int argc, char **argv, char **envp)
{
	(void)envp;
	if (argc > 1 && !strcmp(argv[1], "early"))
		draw();
}

__attribute__((section(".preinit_array"),
	       used)) static void (*const first)(int, char **, char **) = before_constructors;
#else
/* musl knows no .preinit_array, and gives constructors no arguments. In a static program this runs
 * before the library's constructors. */
__attribute__((constructor(101))) static void before_constructors(void)
{
	char words[256] = "";
	int file = open("/proc/self/cmdline", O_RDONLY);
	ssize_t got = read(file, words, sizeof(words) - 1);

	close(file);
	if (got > 0 && !strcmp(words + strlen(words) + 1, "early"))
		draw();
}
#endif

static __typeof__(vgetrandom_get_info) *loaded_after_clearenv(const char *path)
{
	void *library = clearenv() ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);

	return library ? (__typeof__(vgetrandom_get_info) *)(uintptr_t)dlsym(library,
									     "vgetrandom_get_info")
		       : NULL;
}

int main(int argc, char **argv)
{
	__typeof__(vgetrandom_get_info) *get_info = vgetrandom_get_info;
	struct vgetrandom_info info;

	if (argc > 2 && !(get_info = loaded_after_clearenv(argv[2])))
		return 1;
	/* A read of the environment is a segmentation fault from here on. */
	environ = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	draw();
	get_info(&info);
	printf("chacha20=%s\nmemory=%s\nkernel_entropy=%s\nwatch=%s\n", info.chacha20, info.memory,
	       info.kernel_entropy, info.watch);
	for (int i = 0; info.notes[i]; i++)
		printf("note=%s\n", info.notes[i]);
	return 0;
}
