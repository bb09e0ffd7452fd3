/* SPDX-License-Identifier: MIT */
/* System calls without libc's wrappers. The core uses no others, for two reasons:
 *
 * - libc's open(), read() and close() are cancellation points. In a thread that has been cancelled
 * they do not return: the draw would end there, and its descriptor would stay open.
 * - Programs replace mmap() and other functions by ones that allocate or log, which a draw, perhaps
 * in a signal handler, must not do.
 *
 * Which system calls are made when is a promise to sandboxes (docs/sandboxes.md).
 */
#ifndef VGETRANDOM_SYSTEM_CALL_H
#define VGETRANDOM_SYSTEM_CALL_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* ThreadSanitizer sees only libc's calls. Without them it takes two mappings that were at the same
 * address one after the other for one, and reports races. */
#if defined(__SANITIZE_THREAD__)
#define MAP_THROUGH_LIBC 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAP_THROUGH_LIBC 1
#endif
#endif

/* The kernel of s390x takes the address of six arguments there; musl's syscall(2) translates, and
 * glibc's does not. */
#ifdef __s390x__
#define MAP_THROUGH_LIBC 1
#endif

#ifdef MAP_THROUGH_LIBC

static inline void *system_mmap(size_t size, int protection, int flags, int fd)
{
	void *at = mmap(NULL, size, protection, flags, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static inline int system_munmap(const void *pages, size_t size)
{
	return munmap((void *)(uintptr_t)pages, size);
}

#else

/* NULL on failure. The kernel reads whole registers, so each argument is made as wide as one. */
static inline void *system_mmap(size_t size, int protection, int flags, int fd)
{
#ifdef SYS_mmap2
	long number = SYS_mmap2;
#else
	long number = SYS_mmap;
#endif
	long at = syscall(number, 0L, size, (long)protection, (long)flags, (long)fd, 0L);

	return at == -1 ? NULL : (void *)(uintptr_t)at;
}

static inline int system_munmap(const void *pages, size_t size)
{
	return (int)syscall(SYS_munmap, pages, size);
}

#endif

/* These return -1 with errno set on failure, as libc's do. */

static inline int system_madvise(const void *pages, size_t size, int advice)
{
	return (int)syscall(SYS_madvise, pages, size, (long)advice);
}

static inline int system_mlock2(const void *pages, size_t size, unsigned int flags)
{
	return (int)syscall(SYS_mlock2, pages, size, (unsigned long)flags);
}

/* Opens for reading, with O_CLOEXEC. */
static inline int system_open(const char *path)
{
	return (int)syscall(SYS_openat, (long)AT_FDCWD, path, (long)(O_RDONLY | O_CLOEXEC), 0L);
}

static inline ssize_t system_read(int fd, void *buf, size_t len)
{
	return syscall(SYS_read, (long)fd, buf, len);
}

static inline ssize_t system_write(int fd, const void *buf, size_t len)
{
	return syscall(SYS_write, (long)fd, buf, len);
}

static inline ssize_t system_getdents64(int fd, void *entries, size_t bytes)
{
	return syscall(SYS_getdents64, (long)fd, entries, bytes);
}

static inline int system_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, (long)fd, request, argument);
}

/* For requests with one argument. */
static inline int system_prctl(int option, void *argument)
{
	return (int)syscall(SYS_prctl, (long)option, argument, 0L, 0L, 0L);
}

/* Leaves errno alone: callers return the error of what they did with FD. */
static inline void system_close(int fd)
{
	int error = errno;

	syscall(SYS_close, (long)fd);
	errno = error;
}

/* Sets the calling thread's signal mask, in the kernel's format of 64 bits: sigprocmask(3) would
 * leave out the signals that libc uses internally. */
static inline int system_block_signals(const uint64_t *signals, uint64_t *before)
{
	return (int)syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, signals, before,
			    sizeof(*signals));
}

static inline pid_t system_getpid(void)
{
	return (pid_t)syscall(SYS_getpid);
}

static inline pid_t system_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

#endif
