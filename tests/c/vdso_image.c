/* SPDX-License-Identifier: MIT */
/* Prints where vdso.c finds a function in a shared library that takes a vDSO's place.
 *
 *     vdso_image FILE NAME
 *
 * It is the distance from the beginning of the image. Only the file's tables are read: they are in
 * its first segment, as all of a vDSO is.
 */
#include "vdso.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct stat file;
	int fd = argc == 3 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || fstat(fd, &file))
		return 2;
	void *image = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (image == MAP_FAILED)
		return 2;
	uintptr_t found = vdso_function_of((uintptr_t)image, argv[2]);

	printf("%ld\n", found ? (long)(found - (uintptr_t)image) : -1L);
	return 0;
}
