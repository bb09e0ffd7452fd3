/* SPDX-License-Identifier: MIT */
/* Process 1 of the guest: mounts what there is to mount, runs what the kernel's command line asks
 * for, says what came of it, and turns the machine off.
 *
 *     vm.run=early,checks,mlockall,pressure,package,clone
 *
 * The kernel hands NAME=value without a dot on as environment: VGETRANDOM_WATCH=off is one.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vgetrandom.h>

#define CHECK_SECONDS 240
#define PACKAGE_SECONDS 780

static char command_line[4096];

static void mount_all(void)
{
	static const char *const systems[][2] = { { "/proc", "proc" },
						  { "/sys", "sysfs" },
						  { "/dev", "devtmpfs" } };

	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
		mkdir(systems[i][0], 0755);
		if (mount(systems[i][1], systems[i][0], systems[i][1], 0, NULL) && errno != EBUSY)
			printf("@error=mount %s: %s\n", systems[i][0], strerror(errno));
	}
}

static void read_command_line(void)
{
	int file = open("/proc/cmdline", O_RDONLY);
	ssize_t got = file < 0 ? -1 : read(file, command_line, sizeof(command_line) - 1);

	if (got <= 0)
		printf("@error=/proc/cmdline: %s\n", strerror(errno));
}

static bool is_asked_for(const char *name)
{
	const char *list = strstr(command_line, "vm.run=");
	size_t length = strlen(name);

	if (!list)
		return false;
	list += strlen("vm.run=");
	for (;;) {
		size_t word = strcspn(list, ", \n");

		if (word == length && strncmp(list, name, length) == 0)
			return true;
		if (list[word] != ',')
			return false;
		list += word + 1;
	}
}

/* In a process of its own: a crash is that check's, and the next one starts afresh. */
static void run(const char *name, void (*check)(void))
{
	int status;

	fflush(stdout);
	pid_t child = fork();

	if (child == 0) {
		alarm(CHECK_SECONDS);
		check();
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		printf("@failed=%s: no process\n", name);
	else if (WIFSIGNALED(status))
		printf("@failed=%s: killed by signal %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == NOT_HERE)
		printf("@skipped=%s\n", name);
	else if (status)
		printf("@failed=%s\n", name);
	else
		printf("@passed=%s\n", name);
}

/* A generator that is not ready gives nothing at all: not to a caller who does not wait either. */
static void check_early(void)
{
	unsigned char kernel[DRAW_BYTES], ours[DRAW_BYTES] = { 1 };
	static const unsigned char zeros[DRAW_BYTES];
	ssize_t before = vgetrandom(ours, sizeof(ours), GRND_NONBLOCK);
	int ours_errno = errno;
	bool ready = getrandom(kernel, sizeof(kernel), GRND_NONBLOCK) == sizeof(kernel);

	printf("@ready_at_start=%s\n", ready ? "yes" : "no");
	if (!ready) {
		if (before != -1 || ours_errno != EAGAIN)
			fail("no EAGAIN before the kernel is ready: %zd, %s", before,
			     strerror(ours_errno));
		if (memcmp(ours, zeros, sizeof(ours)) != 0)
			fail("bytes from before the kernel was ready");
	}
	/* This waits. */
	if (vgetrandom(ours, sizeof(ours), 0) != sizeof(ours))
		fail("the draw that waits: %s", strerror(errno));
	if (getrandom(kernel, sizeof(kernel), GRND_NONBLOCK) != sizeof(kernel))
		fail("served before the kernel was ready");
}

/* Python, where the initramfs has it (initramfs.py). */
static void check_package(void)
{
	setenv("PYTHONHOME", "/python", 1);
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	setenv("LD_LIBRARY_PATH", "/python/libraries", 1);
	alarm(PACKAGE_SECONDS);
	execl("/python/bin/python3", "/python/bin/python3", "/python/check.py", (char *)NULL);
	fail("/python/bin/python3: %s", strerror(errno));
}

static void report(void)
{
	struct vgetrandom_info info;
	struct utsname name;

	uname(&name);
	vgetrandom_get_info(&info);
	printf("@kernel=%s\n@machine=%s\n@page_bytes=%ld\n", name.release, name.machine,
	       sysconf(_SC_PAGESIZE));
	printf("@libc=glibc %s\n@compiler=gcc %s\n", gnu_get_libc_version(), __VERSION__);
	printf("@chacha20=%s\n@memory=%s\n@entropy=%s\n@watch=%s\n@clones=%s\n", info.chacha20,
	       info.memory, info.kernel_entropy, info.watch, info.clones);
	for (size_t i = 0; info.notes[i]; i++)
		printf("@note=%s\n", info.notes[i]);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "draws", check_draws },
		{ "flags", check_flags },
		{ "forks", check_forks },
		{ "signals", check_signals },
		{ "threads", check_threads },
		{ "memory", check_memory },
		{ "drops", check_drops },
		{ "kernel reseed", check_kernel_reseed },
		{ "time namespace", check_time_namespace },
		{ "reseed()", check_requests },
	};

	setvbuf(stdout, NULL, _IOLBF, 4096);
	mount_all();
	read_command_line();
	/* First of all: the generator may become ready at any moment. */
	if (is_asked_for("early"))
		run("early", check_early);
	report();
	if (is_asked_for("checks"))
		for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
			run(checks[i].name, checks[i].check);
	if (is_asked_for("mlockall"))
		run("mlockall", check_mlockall);
	if (is_asked_for("pressure"))
		run("pressure", check_pressure);
	if (is_asked_for("package"))
		run("package", check_package);
	if (is_asked_for("clone"))
		run_clone();
	printf("@end\n");
	fflush(stdout);
	/* Or the machine may be off before its last line is out. */
	tcdrain(1);
	reboot(RB_POWER_OFF);
	/* Without a driver for that, the end of process 1 ends the machine too (panic=-1). */
	return 0;
}
