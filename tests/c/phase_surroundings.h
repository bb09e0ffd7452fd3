/* SPDX-License-Identifier: MIT */
/* Draws that die of any system call that docs/sandboxes.md does not list for them.
 *
 *     phases PHASE SURROUNDINGS [DIRECTORY]
 *
 * PHASE says what is done before the filter and under it (see below), SURROUNDINGS what there is
 * for it: `usual`, `no-proc` (DIRECTORY, empty, becomes the root) or `no-descriptors`. Which memory
 * states live in is for the environment to say; with USE_UP_PTHREAD_KEYS in it no pthread key is
 * left when the library is loaded, for which it is linked statically. Exits with 77 where the
 * surroundings or the filter cannot be had.
 */
#define _GNU_SOURCE
#include "draws.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define DRAWS 20000
#define WORDS 2000
#define DRAWS_WHILE_IT_PASSES 150000 /* more than twice the longest pause between two attempts */

static const char *phase, *surroundings;
static _Thread_local bool filtered;

static bool is(const char *name, const char *other)
{
	return strcmp(name, other) == 0;
}

/* ---- the lists ---- */

#define IN_ALL SYS_getrandom
#define WITHOUT_A_STATE IN_ALL, SYS_mmap, SYS_munmap, SYS_madvise, SYS_mlock2, SYS_prctl
#define FIRST_DRAW WITHOUT_A_STATE, SYS_openat, SYS_ioctl, SYS_close, SYS_rt_sigprocmask

static const int with_a_state[] = { IN_ALL, -1 };
static const int without_a_state[] = { WITHOUT_A_STATE, -1 };
static const int after_a_fork[] = { WITHOUT_A_STATE, SYS_getpid, SYS_gettid, SYS_rt_sigprocmask,
				    -1 };
static const int first_draw[] = { FIRST_DRAW, -1 };
static const int preparing[] = { FIRST_DRAW, SYS_getdents64, -1 };

static void install(struct sock_filter *filter, unsigned short count)
{
	struct sock_fprog program = { count, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		printf("seccomp filters are refused here\n");
		fflush(stdout);
		_exit(77);
	}
}

/* Kills the process for any system call of the calling thread that is not listed, but for those by
 * which the test itself ends, says what it found, and gives back what it took away. */
static void allow_only(const int *list)
{
	static const int own[] = { SYS_write,     SYS_writev,          SYS_exit_group,
				   SYS_prlimit64, SYS_clock_nanosleep, -1 };
	const int *lists[] = { list, own };
	struct sock_filter filter[64];
	unsigned short count = 0;

	filter[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						       offsetof(struct seccomp_data, nr));
	for (int i = 0; i < 2; i++) {
		for (const int *call = lists[i]; *call >= 0; call++) {
			filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								       (unsigned int)*call, 0, 1);
			filter[count++] =
				(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		}
	}
	filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	install(filter, count);
	filtered = true;
}

/* Without a word of a shortage: for good. */
static void refuse(int call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* ---- the surroundings ---- */

static struct rlimit before;

static void take_away(int resource)
{
	struct rlimit none;

	getrlimit(resource, &before);
	none = before;
	none.rlim_cur = 0;
	if (setrlimit(resource, &none))
		fail("setrlimit: errno %d", errno);
}

/* Under a limit of address space it could not grow. */
static void touch_stack(void)
{
	volatile char room[65536];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = 1;
}

static void give_back(int resource)
{
	if (setrlimit(resource, &before))
		fail("setrlimit: errno %d", errno);
}

static void prepare_surroundings(const char *directory)
{
	if (is(surroundings, "no-descriptors"))
		take_away(RLIMIT_NOFILE);
	if (!is(surroundings, "no-proc"))
		return;
	/* Root, or whoever may be root in a namespace of his own. */
	if (chroot(directory) && (unshare(CLONE_NEWUSER) || chroot(directory))) {
		printf("no chroot(2) for this user\n");
		exit(77);
	}
	if (chdir("/"))
		fail("chdir: errno %d", errno);
}

/* The library's constructor comes later, as all without a priority do. */
static pthread_key_t first_key;

__attribute__((constructor(102))) static void use_up_keys(void)
{
	pthread_key_t key;

	/* musl gives constructors no arguments. */
	if (!getenv("USE_UP_PTHREAD_KEYS"))
		return;
	/* One of those that glibc allocates nothing for. */
	pthread_key_create(&first_key, NULL);
	while (pthread_key_create(&key, NULL) == 0)
		;
}

/* ---- draws ---- */

static unsigned long long fallbacks(void)
{
	struct vgetrandom_stats stats;

	vgetrandom_get_stats(&stats);
	return stats.fallbacks;
}

static void draw_often(int draws)
{
	static _Thread_local unsigned char buf[LARGEST_DRAW];

	for (int i = 0; i < draws; i++)
		if (vgetrandom(buf, 16, 0) != 16)
			fail("vgetrandom failed: errno %d", errno);
	record(buf, 16);
	for (size_t size = 32; size <= sizeof(buf); size *= 2)
		draw(size);
	if (vgetrandom(buf, 16, GRND_NONBLOCK) != 16)
		fail("GRND_NONBLOCK failed: errno %d", errno);
	record(buf, 16);
	vgetrandom_reseed(NULL, 0);
	draw(16);
	if (!is(phase, "no-memory") && !is(phase, "advice-refused"))
		vgetrandom_process();
	fallbacks();
}

static _Atomic(void *(*)(void *)) work;
static atomic_bool over;

/* The end of a thread is libc's: under a filter it would have to allow libc's calls. */
static void *run_and_stay(void *arg)
{
	struct timespec second = { .tv_sec = 1 };

	work(NULL);
	over = true;
	while (filtered)
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &second, NULL);
	return arg;
}

static void draw_in_thread(void *(*draws)(void *))
{
	pthread_t thread;

	work = draws;
	over = false;
	if (pthread_create(&thread, NULL, run_and_stay, NULL) || pthread_detach(thread))
		fail("no thread");
	while (!over)
		usleep(1000);
}

static void *draw_once(void *arg)
{
	draw(16);
	return arg;
}

/* Those that come with the first one (SLOTS_PER_SLAB), by threads that stay. */
#define STATES 15

static pthread_barrier_t all_have_drawn;

static void *draw_and_stay(void *arg)
{
	draw(16);
	pthread_barrier_wait(&all_have_drawn);
	pause();
	return arg;
}

static void take_all_states(void)
{
	pthread_t thread;

	pthread_barrier_init(&all_have_drawn, NULL, STATES);
	draw(16);
	for (int i = 1; i < STATES; i++)
		if (pthread_create(&thread, NULL, draw_and_stay, NULL))
			fail("no thread");
	pthread_barrier_wait(&all_have_drawn);
}

static void *draw_without_a_state(void *arg)
{
	allow_only(without_a_state);
	draw_often(DRAWS);
	return arg;
}

static void *draw_without_locking(void *arg)
{
	static const int list[] = {
		SYS_getrandom, SYS_mmap, SYS_munmap, SYS_madvise, SYS_prctl, -1
	};

	allow_only(list);
	draw_often(DRAWS);
	return arg;
}

static struct vgetrandom_generator *generator;

static void draw_words(void)
{
	uint64_t words[2];

	for (int i = 0; i < WORDS; i++) {
		words[0] = vgetrandom_generator_u64(generator);
		words[1] = vgetrandom_generator_u32(generator);
		if (vgetrandom_generator_double(generator) >= 1)
			fail("a double of 1");
		if (i == WORDS / 2)
			vgetrandom_reseed(NULL, 0);
	}
	words[1] = vgetrandom_generator_u64(generator);
	record((unsigned char *)words, sizeof(words));
}

/* In a thread that has no state of its own and needs none. */
static void *draw_words_in_thread(void *arg)
{
	static const int list[] = { IN_ALL, SYS_prctl, -1 };

	allow_only(list);
	draw_words();
	return arg;
}

/* In a child of its own, whose first draw is under the filter. */
static void *draw_in_child(void *arg)
{
	pid_t pid =
		is(phase, "raw-clone") ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	int status;

	if (pid == 0) {
		allow_only(after_a_fork);
		if (generator)
			draw_words();
		else
			draw_often(DRAWS);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		fail("no child");
	if (status) {
		/* As its own. */
		if (WIFSIGNALED(status))
			raise(WTERMSIG(status));
		_exit(WEXITSTATUS(status));
	}
	return arg;
}

static void say(const char *when)
{
	struct vgetrandom_info info;

	vgetrandom_get_info(&info);
	printf("%s_memory=%s\n%s_watch=%s\n", when, info.memory, when, info.watch);
	for (int i = 0; info.notes[i]; i++)
		printf("%s_note=%s\n", when, info.notes[i]);
}

/* What passes comes to its end under the filter; the next attempt succeeds. */
static void *draw_while_it_passes(void *arg)
{
	bool memory = is(phase, "no-memory");

	if (memory)
		take_away(RLIMIT_AS);
	/* Not vgetrandom_get_info(): it would find what was searched for at the first draw. */
	draw(16);
	allow_only(without_a_state);
	draw_often(DRAWS_WHILE_IT_PASSES);
	unsigned long long without = fallbacks();

	if (memory)
		give_back(RLIMIT_AS);
	else
		pthread_key_delete(first_key);
	draw_often(DRAWS_WHILE_IT_PASSES);
	unsigned long long tried = fallbacks();

	draw_often(DRAWS_WHILE_IT_PASSES);
	printf("without=%llu\nwaiting=%llu\nafter=%llu\n", without, tried - without,
	       fallbacks() - tried);
	return arg;
}

/* Under mlockall(2) the limit of what may be locked is one of what may be mapped: EAGAIN. */
static void lock_all_that_may_be(void)
{
	struct rlimit limit = { .rlim_cur = 8 << 20, .rlim_max = 8 << 20 };

	/* Root may lock what it likes. */
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || (geteuid() == 0 && setuid(65534)) ||
	    mlockall(MCL_FUTURE)) {
		printf("this user may not lock 8 MiB\n");
		exit(77);
	}
	while (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
}

/* Other threads have their states. */
static void *tell_of_memory(void *arg)
{
	take_away(RLIMIT_AS);
	draw(16);
	say("told");
	give_back(RLIMIT_AS);
	say("then");
	return arg;
}

int main(int argc, char **argv)
{
	static char buffer[65536];

	if (argc < 3)
		return 2;
	phase = argv[1];
	surroundings = argv[2];
	/* stdio would map memory for it. */
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	records_start(1000000);
	touch_stack();
	prepare_surroundings(argc > 3 ? argv[3] : "");

	if (is(phase, "first")) {
		allow_only(first_draw);
		draw_often(DRAWS);
	} else if (is(phase, "preparing")) {
		allow_only(preparing);
		if (vgetrandom_prepare())
			fail("vgetrandom_prepare: errno %d", errno);
		say("first");
	} else if (is(phase, "info")) {
		allow_only(preparing);
		say("first");
	} else if (is(phase, "first-under-the-next-filter")) {
		allow_only(with_a_state);
		draw(16);
	} else if (is(phase, "thread-under-the-next-filter")) {
		allow_only(with_a_state);
		draw_in_thread(draw_once);
	} else if (is(phase, "later")) {
		draw(16);
		allow_only(with_a_state);
		draw_often(DRAWS);
	} else if (is(phase, "generator-first")) {
		allow_only(first_draw);
		generator = vgetrandom_generator_new();
		draw_words();
	} else if (is(phase, "generator")) {
		generator = vgetrandom_generator_new();
		allow_only(with_a_state);
		draw_words();
		vgetrandom_generator_free(generator);
	} else if (is(phase, "generator-in-a-thread")) {
		generator = vgetrandom_generator_new();
		draw_in_thread(draw_words_in_thread);
	} else if (is(phase, "generator-in-a-child")) {
		generator = vgetrandom_generator_new();
		draw_words();
		draw_in_child(NULL);
	} else if (is(phase, "prepared")) {
		if (vgetrandom_prepare())
			fail("vgetrandom_prepare: errno %d", errno);
		allow_only(with_a_state);
		vgetrandom_reseed("additional", 10);
		if (!is(surroundings, "no-descriptors"))
			say("first");
		draw_often(DRAWS);
	} else if (is(phase, "advice-refused")) {
		refuse(SYS_madvise);
		draw(16);
		allow_only(with_a_state);
		draw_often(DRAWS);
	} else if (is(phase, "lock-refused")) {
		refuse(SYS_mlock2);
		take_all_states();
		draw_in_thread(draw_without_locking);
	} else if (is(phase, "settled")) {
		if (vgetrandom_prepare())
			fail("vgetrandom_prepare: errno %d", errno);
		say("first");
		allow_only(with_a_state);
		say("second");
		if (vgetrandom_prepare())
			fail("vgetrandom_prepare: errno %d", errno);
		draw_often(DRAWS);
	} else if (is(phase, "thread")) {
		draw(16);
		draw_in_thread(draw_without_a_state);
	} else if (is(phase, "child") || is(phase, "raw-clone")) {
		draw(16);
		draw_in_thread(draw_once);
		draw_in_child(NULL);
	} else if (is(phase, "child-of-a-thread")) {
		draw(16);
		draw_in_thread(draw_in_child);
	} else if (is(phase, "child-of-who-has-not-drawn")) {
		draw_in_thread(draw_once);
		draw_in_child(NULL);
	} else if (is(phase, "no-memory")) {
		draw_while_it_passes(NULL);
	} else if (is(phase, "no-memory-for-a-thread")) {
		take_all_states();
		phase = "no-memory";
		draw_in_thread(draw_while_it_passes);
	} else if (is(phase, "no-key")) {
		draw_while_it_passes(NULL);
	} else if (is(phase, "no-key-told")) {
		draw_often(DRAWS);
		say("told");
		pthread_key_delete(first_key);
		say("then");
	} else if (is(phase, "no-memory-told")) {
		take_all_states();
		draw_in_thread(tell_of_memory);
	} else if (is(phase, "locked-told")) {
		lock_all_that_may_be();
		say("told");
		munlockall();
		say("then");
	} else if (is(phase, "searched-again")) {
		draw(16);
		say("first");
		give_back(RLIMIT_NOFILE);
		draw_often(DRAWS);
		say("second");
	} else {
		return 2;
	}
	if (!filtered)
		records_check();
	fflush(stdout);
	_exit(0);
}
