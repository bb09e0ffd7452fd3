/* SPDX-License-Identifier: MIT */
/* Prints how many bytes of stack each kind of draw takes at most. A draw is made in a signal
 * handler, on an alternate stack that was filled with a pattern before.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vgetrandom.h>

#define PAINT 0xa5
#define STACK_BYTES (64 * 1024)
#define BULK_BYTES (200 * 1000)

static uint8_t *stack, buffer[BULK_BYTES], *top;
static size_t len;

static void handler(int number)
{
	(void)number;
	top = __builtin_frame_address(0);
	if (vgetrandom(buffer, len, 0) != (ssize_t)len)
		_exit(1);
}

static size_t draw(size_t bytes)
{
	stack_t alternate = { .ss_sp = stack, .ss_size = STACK_BYTES };
	size_t untouched = 0;

	len = bytes;
	memset(stack, PAINT, STACK_BYTES);
	if (sigaltstack(&alternate, NULL) || raise(SIGUSR1))
		err(1, "sigaltstack or raise");
	while (stack[untouched] == PAINT)
		untouched++;
	return (size_t)(top - (stack + untouched));
}

static void print(const char *name, size_t bytes)
{
	printf("%s=%zu\n", name, bytes);
	fflush(stdout);
}

int main(void)
{
	static const size_t sizes[] = { 1, 16, 1000, 3000, 4000, 5000, BULK_BYTES };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	size_t most = 0;
	int status;

	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED || sigaction(SIGUSR1, &action, NULL))
		err(1, "mmap or sigaction");
	print("first", draw(16));
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t took = draw(sizes[i]);

			if (took > most)
				most = took;
		}
	print("later", most);
	vgetrandom_reseed("ours", 4);
	print("reseeding", draw(16));
	pid_t pid = fork();

	if (pid == 0) {
		print("child", draw(16));
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		errx(1, "the child failed");
	return 0;
}
