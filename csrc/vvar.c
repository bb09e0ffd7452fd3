#define _GNU_SOURCE
#include "vvar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No memory is written and no signal mask is changed: the kernel copies the set in before it
 * looks at how it is to be used, and there is no such use as -1. */
static bool readable(const void *address)
{
	const size_t kernel_sigset_bytes = 8;

	syscall(SYS_rt_sigprocmask, -1, address, NULL, kernel_sigset_bytes);
	return errno == EINVAL;
}

/* A line of /proc/self/maps, as far as it is of interest. */
struct line {
	uintptr_t start, end;
	char name[8];
};

/* proc_pid_maps(5): "start-end perms offset dev inode   name". Reads a character at a time from
 * what is passed in; returns true at the end of a line. */
struct parser {
	struct line line;
	int field; /* 0 start, 1 end, 2 to 5 of no interest, 6 the name */
	size_t length;
	bool gap;
};

static bool parse(struct parser *p, char c)
{
	if (c == '\n')
		return true;
	if (c == ' ' || (c == '-' && p->field == 0)) {
		if (!p->gap && p->field < 6)
			p->field++;
		p->gap = true;
		return false;
	}
	p->gap = false;
	if (p->field < 2) {
		uintptr_t *number = p->field == 0 ? &p->line.start : &p->line.end;

		*number = *number * 16 + (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	} else if (p->field == 6 && p->length < sizeof(p->line.name) - 1) {
		p->line.name[p->length++] = c;
	}
	return false;
}

static int add_pages(const struct line *line, const void **pages, int count, int max)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	/* "[vvar]" and "[vvar_vclock]", but not "[vdso]" or "[vsyscall]". */
	if (strncmp(line->name, "[vvar", 5) != 0)
		return count;
	for (uintptr_t at = line->start; at < line->end && count < max; at += page)
		if (readable((const void *)at))
			pages[count++] = (const void *)at;
	return count;
}

int vvar_pages(const void **pages, int max)
{
	/* No stdio: a thread's first draw may be in a signal handler. */
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct parser parser = { 0 };
	char chunk[1024];
	ssize_t got;
	int count = 0;

	if (fd < 0)
		return 0;
	while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (!parse(&parser, chunk[i]))
				continue;
			count = add_pages(&parser.line, pages, count, max);
			parser = (struct parser){ 0 };
		}
	}
	close(fd);
	return count;
}
