/* SPDX-License-Identifier: MIT */
/* vgetrandom: getrandom(2) in user space, from a ChaCha20 generator per thread.
 *
 *     unsigned char token[16];
 *     if (vgetrandom(token, sizeof(token), 0) != sizeof(token))
 *             err(1, "vgetrandom");
 *
 * Each thread's generator lives in one page of MAP_DROPPABLE memory (Linux 6.11): never swapped,
 * never dumped, wiped in a forked child, and zeroed by the kernel whenever it likes, which the
 * next draw notices. Older kernels get the weaker memory that vgetrandom_get_info() names.
 *
 * The SONAME is libvgetrandom.so.MAJOR. Within a major version, and 0 is one, functions are added
 * and reserved members taken into use, nothing else.
 *
 * Every function here may be called from any thread and, with the one exception named at
 * vgetrandom(), from a signal handler. Nothing here has to be initialised or freed. What the
 * environment takes away (VGETRANDOM_MEMORY and its like, see SECURITY.md) is read once, when the
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

/* Bound when the program starts: bound at the first call, as the procedure linkage table has it,
 * the dynamic linker takes 2.5 KiB of stack in the middle of that, to save vector registers. */
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

/* Fills BUF with LEN random bytes and returns LEN. The contract is getrandom(2)'s, without its
 * short answers: either all of BUF is filled, or the result is -1, errno says why, and BUF is
 * zeroed; it is left alone only where FLAGS or LEN are refused without a system call (below).
 *
 * FLAGS are getrandom(2)'s. 0 waits until the kernel's generator is ready, once after boot;
 * GRND_NONBLOCK fails with EAGAIN instead. GRND_RANDOM and GRND_INSECURE are passed on: the
 * kernel serves the whole request. A LEN of 0 returns 0.
 *
 * Errors: EINVAL for a flag that is none of these, for GRND_RANDOM together with GRND_INSECURE, and
 * for a LEN over SSIZE_MAX, without a system call; otherwise whatever getrandom(2) failed with
 * (EAGAIN, EINTR, ENOSYS, EPERM; EINVAL for GRND_INSECURE before Linux 5.6).
 * A bad BUF is the caller's SIGSEGV, not EFAULT.
 *
 * A draw takes at most 1.5 KiB of the caller's stack, be it a thread's first or on whatever
 * instruction set; so a handler may draw on a small alternate stack (sigaltstack(2)). Where the
 * compiler does not know the attribute noplt (clang), link with `-z now`, or the dynamic linker
 * takes 2.5 KiB more in the program's first draw.
 *
 * A signal handler may draw in the middle of another draw; the kernel then serves it. A thread's
 * first draw registers a thread-exit hook (pthread_setspecific(3)). Its key is made when the
 * library is loaded; where 32 others were made before, glibc allocates at that point: there, do not
 * make the first draw from a handler. With musl, whose pthread_key_create(3) takes a lock, no draw
 * makes the key: where none was left by then, vgetrandom_prepare() tries again. A first draw after
 * the thread's last such hook has run takes a page that nobody gives back.
 *
 * Clones of a machine are parted by the clock, which each run of keystream takes for its nonce: the
 * CPU's counter, where it has one to read. A thread that forbids itself the counter (prctl(2),
 * PR_SET_TSC) must do so before its first draw; later it gets SIGSEGV, as from clock_gettime(3).
 *
 * A child that shares its parent's memory must not draw: after vfork(2), as POSIX has it, and after
 * a raw clone(CLONE_VM), whose threads libc does not know. Raw clone(2) without it is a fork.
 */
VGETRANDOM_API ssize_t vgetrandom(void *buf, size_t len, unsigned int flags);

/* Does now what the process's first draw would do, so that a sandbox that is entered afterwards
 * need not allow it: maps memory, opens files, claims the calling thread's state and draws. Which
 * system calls are made later, by whom, is listed in docs/sandboxes.md; with a state, getrandom(2)
 * and no other. To be called again whenever one likes: what a passing shortage denied (memory,
 * descriptors) is then tried again, and nothing else.
 *
 * Returns 0; -1 with errno set where the kernel gave no random bytes, as vgetrandom() does. What
 * this machine lacks besides is no failure: vgetrandom_get_info() tells. */
VGETRANDOM_API int vgetrandom_prepare(void);

/* Every thread's next draw starts from a fresh key, for hooks that run after a snapshot of the
 * machine was restored. Where the kernel's generator was cloned with the machine, fresh keys are
 * the same in every clone: there, give LEN bytes of your own in ADDITIONAL (an instance's secret, a
 * nonce from the host). They go into every key that this process and its children fetch from now
 * on, together with all that was given before; they can only add, so that bytes which somebody
 * knows or chose do no harm. Bytes that the kernel serves itself do not have them.
 *
 * What they become, 32 bytes, lies in ordinary memory, kept out of core dumps and swap as far as
 * that can be had (see `notes` below). NULL and 0 give nothing. */
VGETRANDOM_API void vgetrandom_reseed(const void *additional, size_t len);

/* A number that differs between a process and every process forked from it, by whatever means and
 * into whatever PID namespace, for callers that hold random bytes across calls and must not share
 * them with a child: the same number twice is the same process. Take any other number for another
 * process; 0 too, which means that it cannot be told here: there is neither memory that a fork
 * wipes nor a number that the kernel gives to no other process (Linux 6.9, and not for 32-bit
 * programs; it takes a free descriptor). */
VGETRANDOM_API uint64_t vgetrandom_process(void);

/// ------------------------------------------------------------------------------------------
/// A generator of one's own
/// ------------------------------------------------------------------------------------------

/* For callers that draw word by word and have a lock of their own, such as NumPy's bit generators:
 * a state that belongs to an object instead of a thread. It is what a thread's state is in all
 * else: one page of the same memory, noticed when it is dropped, wiped on fork, reseeded with the
 * others. A forked child has it too, and gets other words from it.
 *
 * Only one thread at a time may draw from a generator; two get the same words. A signal handler
 * must not draw from one that it may have interrupted. */
struct vgetrandom_generator;

/* Never NULL: where no state can be had, each word is a getrandom(2) call. */
VGETRANDOM_API struct vgetrandom_generator *vgetrandom_generator_new(void);

/* Wipes the state. */
VGETRANDOM_API void vgetrandom_generator_free(struct vgetrandom_generator *generator);

/* 64 and 32 random bits, and 53 as a double: a multiple of 2^-53, at least 0 and less than 1. As
 * they cannot say that the kernel's generator failed (which it does in sandboxes only), they write
 * so to standard error and abort(3). */
VGETRANDOM_API uint64_t vgetrandom_generator_u64(struct vgetrandom_generator *generator);
VGETRANDOM_API uint32_t vgetrandom_generator_u32(struct vgetrandom_generator *generator);
VGETRANDOM_API double vgetrandom_generator_double(struct vgetrandom_generator *generator);

/// ------------------------------------------------------------------------------------------
/// What is in use on this machine
/// ------------------------------------------------------------------------------------------

#define VGETRANDOM_MAX_NOTES 31

/* Neither of the two structs here grows: a later version takes reserved members, which are NULL or
 * 0 until then, so that programs compiled against an older header keep working. */
struct vgetrandom_info {
	const char *chacha20;       /* "avx512", "avx2", "sse2", "neon" or "portable" */
	const char *memory;         /* "droppable", "wipe-on-fork" or "none" */
	const char *kernel_entropy; /* what refills mix in: "vdso" or "syscall" */
	const char *watch;          /* "vdso-generation", "vmclock" or "none" */
	/* What would tell of a clone of this virtual machine: "vmgenid" (the kernel's driver has a
	 * device, which says nothing of whether the hypervisor changes the ID), "vmclock", "none",
	 * or "unknown" where that cannot be seen (/sys). */
	const char *clones;
	const char *reserved_names[11];
	size_t state_bytes; /* a thread's state: one page, or 0 */
	size_t batch_bytes; /* the most bytes that exist and are not yet served, or 0 */
	size_t reserved_numbers[14];
	/* Which guarantee is missing and why; ends with NULL. */
	const char *notes[VGETRANDOM_MAX_NOTES + 1];
};

/* Prepares and draws as vgetrandom_prepare() does, so that it tells what is in use and not what
 * might be: of the calling thread's draws, and in the notes why they are not better. The strings
 * are constant. */
VGETRANDOM_API void vgetrandom_get_info(struct vgetrandom_info *info);

/// ------------------------------------------------------------------------------------------
/// What this process has done
/// ------------------------------------------------------------------------------------------

struct vgetrandom_stats {
	uint64_t refills;       /* batches and bulk chunks computed, each under a key of its own */
	uint64_t reseeds_first; /* a thread's first key */
	uint64_t reseeds_wiped; /* the page was zero: dropped, or this is a forked child */
	uint64_t reseeds_generation; /* the kernel reseeded, or the virtual machine was cloned */
	uint64_t reseeds_requested;  /* vgetrandom_reseed() */
	uint64_t syscalls;           /* calls of getrandom(2) */
	uint64_t fallbacks; /* requests that the kernel served whole, no state being usable */
	uint64_t reserved[25];
};

/* The sum over all threads of this process, past and present. A forked child starts from zero, and
 * counts from its first draw on; but where there is no memory that a fork wipes (as where `memory`
 * is "none" because the kernel refuses it), a child of raw clone(2) goes on from its parent's
 * numbers. */
VGETRANDOM_API void vgetrandom_get_stats(struct vgetrandom_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
