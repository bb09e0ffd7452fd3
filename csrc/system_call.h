/* SPDX-License-Identifier: MIT */
/* System calls as the kernel has them, errno included.
 *
 * libc's open(), read() and close() are cancellation points: in a thread that pthread_cancel(3) has
 * met they do not return, so that a draw would end with the thread and leave its descriptor behind.
 * And mmap() may be somebody else's, who allocates or logs: inside a draw, perhaps in a signal
 * handler. No file of the core calls libc for what the kernel does. Which calls are made when is a
 * promise to sandboxes (docs/sandboxes.md).
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

/* ThreadSanitizer sees libc's calls alone. Without them it takes two mappings that came to lie in
 * the same place, one after the other, for one. */
#if defined(__SANITIZE_THREAD__)
#define MAP_THROUGH_LIBC 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAP_THROUGH_LIBC 1
#endif
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

/* The kernel reads whole registers: each argument is as wide as one. NULL on failure. */
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

/* These return -1 on failure, as libc's do. */

static inline int system_madvise(const void *pages, size_t size, int advice)
{
	return (int)syscall(SYS_madvise, pages, size, (long)advice);
}

static inline int system_mlock2(const void *pages, size_t size, unsigned int flags)
{
	return (int)syscall(SYS_mlock2, pages, size, (unsigned long)flags);
}

/* For reading, and closed when the process runs another program. */
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

/* For what has one argument. */
static inline int system_prctl(int option, void *argument)
{
	return (int)syscall(SYS_prctl, (long)option, argument, 0L, 0L, 0L);
}

/* errno stays as it is: it tells of what was tried with FD. */
static inline void system_close(int fd)
{
	int error = errno;

	syscall(SYS_close, (long)fd);
	errno = error;
}

/* Sets the calling thread's whole signal mask. The kernel's own kind of set, 64 bits: libc's would
 * leave out the signals that libc keeps for itself. */
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
