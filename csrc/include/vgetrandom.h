/* SPDX-License-Identifier: MIT */
/* vgetrandom: getrandom(2) in user space, from a ChaCha20 generator per thread.
 *
 *     unsigned char token[16];
 *     if (vgetrandom(token, sizeof(token), 0) != sizeof(token))
 *             err(1, "vgetrandom");
 *
 * Each thread's generator is in one page of MAP_DROPPABLE memory (Linux 6.11), which is never
 * swapped or dumped, is wiped in a forked child, and may be zeroed by the kernel at any moment; the
 * next draw notices that. On older kernels weaker memory is used, which vgetrandom_get_info()
 * names.
 *
 * The SONAME is libvgetrandom.so.MAJOR. Within a major version, 0 included, functions may be added
 * and reserved members of structs be given a meaning, nothing else.
 *
 * Every function may be called from any thread and, with the one exception described at
 * vgetrandom(), from a signal handler. There is nothing to initialise. The environment variables
 * that take features away (VGETRANDOM_MEMORY and others, see SECURITY.md) are read once, when the
 * library is loaded.
 */
#ifndef VGETRANDOM_H
#define VGETRANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VGETRANDOM_VERSION "0.1.0"

/* Bound when the program starts. If the procedure linkage table bound a function at its first call,
 * the dynamic linker would take 2.5 KiB of stack in that call, to save the vector registers. */
#if defined(__has_attribute)
#if __has_attribute(noplt)
#define VGETRANDOM_BOUND_EARLY __attribute__((noplt))
#endif
#endif
#ifndef VGETRANDOM_BOUND_EARLY
#define VGETRANDOM_BOUND_EARLY
#endif

#ifndef VGETRANDOM_API
#define VGETRANDOM_API VGETRANDOM_BOUND_EARLY
#endif

/// ------------------------------------------------------------------------------------------
/// Random bytes
/// ------------------------------------------------------------------------------------------

/* Fills BUF with LEN random bytes and returns LEN. This is getrandom(2)'s contract without short
 * reads: either all of BUF is filled, or -1 is returned, errno is set, and BUF is zeroed. It is
 * left alone only if FLAGS or LEN are refused without a system call (see below).
 *
 * FLAGS are getrandom(2)'s. With 0 the call waits until the kernel's generator is ready, which
 * happens once after boot; with GRND_NONBLOCK it fails with EAGAIN instead. With GRND_RANDOM or
 * GRND_INSECURE the kernel serves the whole request. If LEN is 0, 0 is returned.
 *
 * Errors: EINVAL, without a system call, for an unknown flag, for GRND_RANDOM together with
 * GRND_INSECURE, and for a LEN over SSIZE_MAX; otherwise the error of getrandom(2) (EAGAIN, EINTR,
 * ENOSYS, EPERM; EINVAL for GRND_INSECURE before Linux 5.6). An invalid BUF is SIGSEGV, not EFAULT.
 *
 * A draw needs at most 1.5 KiB of stack on x86-64 and aarch64 and 2 KiB elsewhere, a thread's first
 * included, with every instruction set, so a handler may draw on a small alternate stack
 * (sigaltstack(2)). If the compiler does not know the attribute noplt (clang), link with `-z now`,
 * or the dynamic linker takes 2.5 KiB more in the program's first draw.
 *
 * A signal handler may draw in the middle of another draw; the kernel then serves it. There is one
 * exception. A thread's first draw registers a thread-exit hook (pthread_setspecific(3)), whose key
 * is made when the library is loaded. If 32 other keys were made before, glibc allocates memory at
 * that point, and a handler must not make a thread's first draw. With musl, whose
 * pthread_key_create(3) takes a lock, no draw makes the key: if none was left when the library was
 * loaded, vgetrandom_prepare() tries again. If a thread makes its first draw after its last
 * thread-exit hook has run, its page is never released.
 *
 * Each run of keystream takes a reading of the clock for its nonce, so that the output of cloned
 * machines comes to differ: the CPU's counter, if there is one. A thread that disables the counter
 * for itself (prctl(2), PR_SET_TSC) must do so before its first draw; later it gets SIGSEGV, as it
 * does from clock_gettime(3).
 *
 * A child that shares its parent's memory must not draw: not after vfork(2), where POSIX forbids
 * it, nor after a raw clone(CLONE_VM), whose threads libc does not know. A raw clone(2) without
 * CLONE_VM is handled like fork(2).
 */
VGETRANDOM_API ssize_t vgetrandom(void *buf, size_t len, unsigned int flags);

/* Does now what the process's first draw would do: maps memory, opens files, claims the calling
 * thread's state and draws. A sandbox that is entered afterwards need not allow any of this.
 * docs/sandboxes.md lists which system calls may be made later; a thread with a state makes no
 * other than getrandom(2). May be called again at any time: it then repeats what failed for want of
 * memory or descriptors, and nothing else.
 *
 * Returns 0; -1 with errno set if the kernel gave no random bytes, as vgetrandom() does. It is no
 * failure if this machine lacks anything else; vgetrandom_get_info() tells. */
VGETRANDOM_API int vgetrandom_prepare(void);

/* Makes every thread's next draw fetch a fresh key; for hooks that run after a snapshot of the
 * machine was restored. If the kernel's generator was cloned with the machine, fresh keys are the
 * same in every clone. In that case give LEN bytes in ADDITIONAL that only this instance has (a
 * secret, a nonce from the host). They go into every key that this process and its children fetch
 * from now on, together with all that were given before. They cannot make keys more predictable, so
 * bytes that somebody knows or has chosen do no harm. Requests that the kernel serves do not use
 * them.
 *
 * 32 bytes that are computed from them are kept in ordinary memory, out of core dumps and swap if
 * possible (see `notes` below). NULL and 0 give nothing. */
VGETRANDOM_API void vgetrandom_reseed(const void *additional, size_t len);

/* A number that differs between a process and every process forked from it, by any means and into
 * any PID namespace. It is for callers that keep random bytes across calls and must not share them
 * with a child: if it is the same number as before, it is the same process. Treat any other number
 * as another process, and 0 too, which means that it cannot be told: there is neither memory that a
 * fork wipes nor a unique number from the kernel (Linux 6.9, not for 32-bit programs, takes a free
 * descriptor). */
VGETRANDOM_API uint64_t vgetrandom_process(void);

/// ------------------------------------------------------------------------------------------
/// A generator of one's own
/// ------------------------------------------------------------------------------------------

/* A state that belongs to an object instead of a thread, for callers that draw word by word and
 * have a lock of their own, such as NumPy's bit generators. In all else it is like a thread's
 * state: one page of the same memory, checked for drops and forks, reseeded with the others. A
 * forked child has it too, and gets other words from it.
 *
 * Only one thread at a time may draw from a generator; otherwise two may get the same words. A
 * signal handler must not draw from one that it may have interrupted. */
struct vgetrandom_generator;

/* Never returns NULL: if no state can be had, each word is a getrandom(2) call. */
VGETRANDOM_API struct vgetrandom_generator *vgetrandom_generator_new(void);

/* Wipes the state. */
VGETRANDOM_API void vgetrandom_generator_free(struct vgetrandom_generator *generator);

/* 64 and 32 random bits, and 53 as a double: a multiple of 2^-53, at least 0 and less than 1. They
 * have no way to report that getrandom(2) failed, which it does only in sandboxes. They then write
 * a message to standard error and abort(3). */
VGETRANDOM_API uint64_t vgetrandom_generator_u64(struct vgetrandom_generator *generator);
VGETRANDOM_API uint32_t vgetrandom_generator_u32(struct vgetrandom_generator *generator);
VGETRANDOM_API double vgetrandom_generator_double(struct vgetrandom_generator *generator);

/// ------------------------------------------------------------------------------------------
/// What is in use on this machine
/// ------------------------------------------------------------------------------------------

#define VGETRANDOM_MAX_NOTES 31

/* The two structs do not grow: a later version uses reserved members, which are NULL or 0 until
 * then, so that programs compiled against an older header keep working. */
struct vgetrandom_info {
	const char *chacha20;       /* "avx512", "avx2", "sse2", "neon" or "portable" */
	const char *memory;         /* "droppable", "wipe-on-fork" or "none" */
	const char *kernel_entropy; /* what refills mix in: "vdso" or "syscall" */
	const char *watch;          /* "vdso-generation", "vmclock" or "none" */
	/* What would tell that this virtual machine was cloned: "vmgenid" (the kernel's driver has
	 * a device; whether the hypervisor changes the ID cannot be known), "vmclock", "none", or
	 * "unknown" if /sys cannot be read. */
	const char *clones;
	const char *reserved_names[11];
	size_t state_bytes; /* a thread's state: one page, or 0 */
	size_t batch_bytes; /* the most bytes that exist and are not yet served, or 0 */
	size_t reserved_numbers[14];
	/* What is missing on this machine, and why; ends with NULL. */
	const char *notes[VGETRANDOM_MAX_NOTES + 1];
};

/* Tells what the calling thread's draws use, and in the notes why it is not something better. It
 * prepares and draws like vgetrandom_prepare(), so that it can tell what is in use and not only
 * what could be. The strings are constant. */
VGETRANDOM_API void vgetrandom_get_info(struct vgetrandom_info *info);

/// ------------------------------------------------------------------------------------------
/// What this process has done
/// ------------------------------------------------------------------------------------------

struct vgetrandom_stats {
	uint64_t refills;       /* batches and bulk chunks computed, each under a key of its own */
	uint64_t reseeds_first; /* a thread's first key */
	uint64_t reseeds_wiped; /* the page was zeroed: dropped, or this is a forked child */
	uint64_t reseeds_generation; /* the kernel reseeded, or the virtual machine was cloned */
	uint64_t reseeds_requested;  /* vgetrandom_reseed() */
	uint64_t syscalls;           /* calls of getrandom(2) */
	uint64_t fallbacks; /* requests that the kernel served because no state was usable */
	uint64_t reserved[25];
};

/* The sum over all threads of this process, past and present. A forked child starts from zero. The
 * one exception: without memory that a fork wipes (`memory` is "none" because the kernel refuses
 * it, or has none to give yet), a child of raw clone(2) goes on from its parent's numbers. */
VGETRANDOM_API void vgetrandom_get_stats(struct vgetrandom_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
