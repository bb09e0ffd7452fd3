/* SPDX-License-Identifier: MIT */
/* Prints what vgetrandom_get_info() says, a line each, and the platform that it runs on: for tests
 * that run it as another user, or under a filter.
 *
 *     report [no-mmap|no-mmap-later]
 *
 * With no-mmap a seccomp filter refuses every mmap from the start; with no-mmap-later from when
 * the main thread has a state and eighty other threads do not have one yet.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <vgetrandom.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#define THREADS 80

#ifdef SYS_mmap2
#define MMAP_CALL SYS_mmap2
#else
#define MMAP_CALL SYS_mmap
#endif

static void refuse_mmap(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MMAP_CALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	/* For all threads at once. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)) {
		printf("seccomp filters are refused here\n");
		fflush(stdout);
		_exit(77);
	}
}

static unsigned char drawn[THREADS + 1][48];

static void draw(unsigned char *into)
{
	if (vgetrandom(into, 48, 0) != 48) {
		perror("vgetrandom");
		_exit(1);
	}
}

static pthread_barrier_t barrier;

static void *draws(void *into)
{
	pthread_barrier_wait(&barrier);
	draw(into);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void draw_in_threads(void)
{
	static pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, draws, drawn[i + 1]))
			_exit(1);
	draw(drawn[0]);
	refuse_mmap();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void expect_unique(int count)
{
	for (int i = 0; i < count; i++)
		for (int j = 0; j < i; j++)
			if (!memcmp(drawn[i], drawn[j], 16)) {
				printf("draws %d and %d are the same\n", i, j);
				_exit(1);
			}
}

static void print_surroundings(void)
{
	struct utsname machine;

	uname(&machine);
	printf("kernel=%s\narchitecture=%s\npage=%ld\n", machine.release, machine.machine,
	       sysconf(_SC_PAGESIZE));
#ifdef __GLIBC__
	printf("libc=glibc %s\n", gnu_get_libc_version());
#else
	printf("libc=musl\n");
#endif
#ifdef __clang__
	printf("compiler=clang %d.%d.%d\n", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
	printf("compiler=gcc %d.%d.%d\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
	/* Without a dynamic linker. */
	printf("static=%d\n", getauxval(AT_BASE) == 0);
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct vgetrandom_info info;
	struct vgetrandom_stats stats;

	/* stdio would map memory for it. */
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	if (argc > 1 && !strcmp(argv[1], "no-mmap-later")) {
		draw_in_threads();
		expect_unique(THREADS + 1);
	} else {
		if (argc > 1)
			refuse_mmap();
		draw(drawn[0]);
		draw(drawn[1]);
		expect_unique(2);
	}
	vgetrandom_get_info(&info);
	vgetrandom_get_stats(&stats);
	print_surroundings();
	printf("chacha20=%s\nmemory=%s\nkernel_entropy=%s\nwatch=%s\nclones=%s\n", info.chacha20,
	       info.memory, info.kernel_entropy, info.watch, info.clones);
	printf("first=%d\nfallbacks=%d\n", (int)stats.reseeds_first, (int)stats.fallbacks);
	for (int i = 0; info.notes[i]; i++)
		printf("note=%s\n", info.notes[i]);
	return 0;
}
